// SingleFlightCache: immutable values by key, up to a byte budget, each built once for all who wait for it.
//
// Thread safety: thread-safe. Get blocks while a value is built, so it is not for threads that must not block. Values
// are shared: what is evicted lives on while somebody holds it. Least recently used goes first, except what is pinned;
// a value larger than the budget is given to who asked and not kept.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <functional>
#include <list>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "core/base/cancellation.h"
#include "core/base/mutex.h"
#include "core/base/status.h"
#include "core/tensor/guard.h"

namespace modelpatch::serve {

template <typename Value>
class SingleFlightCache {
 public:
  struct Built {
    std::shared_ptr<const Value> value;
    int64_t bytes = 0;
  };
  // The token is cancelled once nobody waits for the value any more. What the builder throws is an error.
  using Builder = std::function<absl::StatusOr<Built>(const base::CancellationToken& unwanted)>;

  explicit SingleFlightCache(int64_t maximum_bytes) : maximum_bytes_(maximum_bytes) {}

  // The value of `key`; on a miss the first caller runs `build` and everybody else waits for it. An error is given to
  // all who wait, and forgotten. CANCELLED once `caller` is; it is asked under this cache's lock.
  absl::StatusOr<std::shared_ptr<const Value>> Get(const std::string& key, const Builder& build,
                                                   const base::CancellationToken& caller = {}) {
    std::shared_ptr<Flight> flight;
    {
      base::MutexLock lock(mutex_);
      if (const auto found = entries_.find(key); found != entries_.end()) {
        ++hits_;
        order_.splice(order_.begin(), order_, found->second.position);
        return found->second.built.value;
      }
      ++misses_;
      if (const auto flying = flights_.find(key); flying != flights_.end()) {
        // A copy: the one in the map goes when the flight lands.
        flight = flying->second;
        return WaitFor(*flight, caller);
      }
      flight = flights_.emplace(key, std::make_shared<Flight>()).first->second;
      flight->waiting.push_back(caller);
    }
    const auto unwanted = base::CancellationToken::When([&] { return IsAbandoned(key, *flight); });
    absl::StatusOr<Built> built = tensor::Guarded([&] { return build(unwanted); });
    base::MutexLock lock(mutex_);
    flight->landed = true;
    if (!flight->abandoned) flights_.erase(key);
    if (built.ok()) {
      flight->result = built->value;
      if (!flight->abandoned) Keep(key, *std::move(built));
    } else {
      flight->result = built.status();
    }
    condition_.NotifyAll();
    return flight->result;
  }

  // The value of `key` if it is there, which counts as a use; nothing is built.
  std::shared_ptr<const Value> Find(const std::string& key) {
    base::MutexLock lock(mutex_);
    const auto found = entries_.find(key);
    if (found == entries_.end()) return nullptr;
    ++hits_;
    order_.splice(order_.begin(), order_, found->second.position);
    return found->second.built.value;
  }

  // Whether a value that is there is so, by a predicate that is asked under this cache's lock. Counts as no use.
  template <typename Predicate>
  bool Contains(const Predicate& predicate) {
    base::MutexLock lock(mutex_);
    return std::any_of(entries_.begin(), entries_.end(),
                       [&](const auto& entry) { return predicate(*entry.second.built.value); });
  }

  // These keys, and no others any more, stay when the budget is exceeded; they count towards it.
  void SetPinned(std::set<std::string> keys) {
    base::MutexLock lock(mutex_);
    pinned_ = std::move(keys);
    EvictUntilWithinBudget();
  }

  // Forgets all keys that start with `prefix`, or contain `part`.
  void EvictPrefix(const std::string& prefix) {
    EvictWhere([&](const std::string& key) { return key.starts_with(prefix); });
  }
  void EvictContaining(const std::string& part) {
    EvictWhere([&](const std::string& key) { return key.find(part) != std::string::npos; });
  }

  struct Statistics {
    int64_t bytes;
    int64_t hits;
    int64_t misses;
  };
  Statistics statistics() {
    base::MutexLock lock(mutex_);
    return {bytes_, hits_, misses_};
  }

 private:
  // How soon one who waits sees that it need not any more.
  static constexpr std::chrono::milliseconds kLookInterval{50};

  struct Flight {
    std::vector<base::CancellationToken> waiting;  // the builder's caller first
    bool abandoned = false;
    bool landed = false;
    absl::StatusOr<std::shared_ptr<const Value>> result = absl::UnknownError("not landed");
  };
  struct Entry {
    Built built;
    std::list<std::string>::iterator position;
  };

  absl::StatusOr<std::shared_ptr<const Value>> WaitFor(Flight& flight, const base::CancellationToken& caller)
      MP_REQUIRES(mutex_) {
    flight.waiting.push_back(caller);
    while (!flight.landed) {
      MP_RETURN_IF_ERROR(caller.Check());
      condition_.WaitFor(mutex_, kLookInterval);
    }
    return flight.result;
  }

  // Whether all who waited have gone. Whoever asks for the key after that starts anew.
  bool IsAbandoned(const std::string& key, Flight& flight) {
    base::MutexLock lock(mutex_);
    if (!flight.abandoned && std::all_of(flight.waiting.begin(), flight.waiting.end(),
                                         [](const base::CancellationToken& caller) { return caller.cancelled(); })) {
      flight.abandoned = true;
      flights_.erase(key);
    }
    return flight.abandoned;
  }

  void Keep(const std::string& key, Built built) MP_REQUIRES(mutex_) {
    if (built.bytes > maximum_bytes_) return;
    bytes_ += built.bytes;
    order_.push_front(key);
    entries_.insert_or_assign(key, Entry{std::move(built), order_.begin()});
    EvictUntilWithinBudget();
  }

  template <typename Predicate>
  void EvictWhere(const Predicate& predicate) {
    base::MutexLock lock(mutex_);
    for (auto entry = entries_.begin(); entry != entries_.end();) {
      if (!predicate(entry->first)) {
        ++entry;
        continue;
      }
      bytes_ -= entry->second.built.bytes;
      order_.erase(entry->second.position);
      entry = entries_.erase(entry);
    }
  }

  void EvictUntilWithinBudget() MP_REQUIRES(mutex_) {
    for (auto oldest = order_.end(); bytes_ > maximum_bytes_ && oldest != order_.begin();) {
      --oldest;
      if (pinned_.contains(*oldest)) continue;
      const auto entry = entries_.find(*oldest);
      bytes_ -= entry->second.built.bytes;
      entries_.erase(entry);
      oldest = order_.erase(oldest);
    }
  }

  const int64_t maximum_bytes_;

  base::Mutex mutex_;
  base::CondVar condition_;
  std::map<std::string, Entry> entries_ MP_GUARDED_BY(mutex_);
  std::list<std::string> order_ MP_GUARDED_BY(mutex_);  // most recently used first
  std::set<std::string> pinned_ MP_GUARDED_BY(mutex_);
  std::map<std::string, std::shared_ptr<Flight>> flights_ MP_GUARDED_BY(mutex_);
  int64_t bytes_ MP_GUARDED_BY(mutex_) = 0;
  int64_t hits_ MP_GUARDED_BY(mutex_) = 0;
  int64_t misses_ MP_GUARDED_BY(mutex_) = 0;
};

}  // namespace modelpatch::serve
