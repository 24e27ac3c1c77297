// CancellationToken: a flag that long work looks at between its units, to stop early.
//
// Thread safety: both types are thread-safe; copies share the flag. A default token is never cancelled.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <utility>

#include "core/base/status.h"

namespace modelpatch::base {

class CancellationToken {
 public:
  CancellationToken() = default;

  // Cancelled as soon as `condition` says so, which is asked at every look and must be thread-safe.
  static CancellationToken When(std::function<bool()> condition) {
    CancellationToken token;
    token.condition_ = std::make_shared<const std::function<bool()>>(std::move(condition));
    return token;
  }

  bool cancelled() const {
    if (flag_ != nullptr && flag_->load(std::memory_order_relaxed)) return true;
    return condition_ != nullptr && (*condition_)();
  }

  // CANCELLED once cancelled, else OK.
  absl::Status Check() const { return cancelled() ? Cancelled("the work was cancelled") : absl::OkStatus(); }

 private:
  friend class CancellationSource;
  explicit CancellationToken(std::shared_ptr<const std::atomic<bool>> flag) : flag_(std::move(flag)) {}
  std::shared_ptr<const std::atomic<bool>> flag_;
  std::shared_ptr<const std::function<bool()>> condition_;
};

class CancellationSource {
 public:
  CancellationSource() : flag_(std::make_shared<std::atomic<bool>>(false)) {}

  // Async-signal-safe.
  void Cancel() { flag_->store(true, std::memory_order_relaxed); }
  CancellationToken token() const { return CancellationToken(flag_); }

 private:
  std::shared_ptr<std::atomic<bool>> flag_;
};

}  // namespace modelpatch::base
