// PreparedClassifier: a mixture and classes that many requests have in common, so that what they need from the caches
// is found once.
//
// It keeps nothing resident: while a request of it runs, the next one shares what that one holds; after a pause the
// caches are asked again, and say so if the model is no longer there. Thread safety: thread-safe.
#pragma once

#include <memory>
#include <utility>

#include "core/base/mutex.h"
#include "core/serve/class_list.h"
#include "core/serve/request.h"

namespace modelpatch::serve {

// See resource_caches.h.
struct Resources;

class PreparedClassifier {
 public:
  PreparedClassifier(ResolvedMixture mixture, std::shared_ptr<const ClassList> classes)
      : mixture_(std::move(mixture)), classes_(std::move(classes)) {}

  const ResolvedMixture& mixture() const { return mixture_; }
  const std::shared_ptr<const ClassList>& classes() const { return classes_; }

  // What running requests hold, or null.
  std::shared_ptr<const Resources> Find() const {
    base::MutexLock lock(mutex_);
    return held_.lock();
  }
  void Remember(const std::shared_ptr<const Resources>& held) {
    base::MutexLock lock(mutex_);
    held_ = held;
  }

 private:
  const ResolvedMixture mixture_;
  const std::shared_ptr<const ClassList> classes_;

  mutable base::Mutex mutex_;
  std::weak_ptr<const Resources> held_ MP_GUARDED_BY(mutex_);
};

}  // namespace modelpatch::serve
