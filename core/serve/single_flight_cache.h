// SingleFlightCache: immutable values by key, up to a byte budget, each built once for all who wait for it.
//
// Thread safety: thread-safe. Get blocks while a value is built, so it is not for threads that must not block. Values
// are shared: what is evicted lives on while somebody holds it. Least recently used goes first; a value larger than the
// budget is given to who asked and not kept.
#pragma once

#include <cstdint>
#include <functional>
#include <list>
#include <map>
#include <memory>
#include <string>
#include <utility>

#include "core/base/mutex.h"
#include "core/base/status.h"

namespace modelpatch::serve {

template <typename Value>
class SingleFlightCache {
 public:
  struct Built {
    std::shared_ptr<const Value> value;
    int64_t bytes = 0;
  };
  using Builder = std::function<absl::StatusOr<Built>()>;

  explicit SingleFlightCache(int64_t maximum_bytes) : maximum_bytes_(maximum_bytes) {}

  // The value of `key`; on a miss the first caller runs `build` and everybody else waits for it. An error is given to
  // all who wait, and forgotten.
  absl::StatusOr<std::shared_ptr<const Value>> Get(const std::string& key, const Builder& build) {
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
        flight = flying->second;
        while (!flight->landed) condition_.Wait(mutex_);
        return flight->result;
      }
      flight = flights_.emplace(key, std::make_shared<Flight>()).first->second;
    }
    absl::StatusOr<Built> built = build();
    base::MutexLock lock(mutex_);
    flights_.erase(key);
    flight->landed = true;
    if (built.ok()) {
      flight->result = built->value;
      Keep(key, *std::move(built));
    } else {
      flight->result = built.status();
    }
    condition_.NotifyAll();
    return flight->result;
  }

  // The value of `key` if it is there, without building it.
  std::shared_ptr<const Value> Find(const std::string& key) {
    base::MutexLock lock(mutex_);
    const auto found = entries_.find(key);
    return found == entries_.end() ? nullptr : found->second.built.value;
  }

  // Forgets all keys that start with `prefix`.
  void EvictPrefix(const std::string& prefix) {
    base::MutexLock lock(mutex_);
    for (auto entry = entries_.lower_bound(prefix); entry != entries_.end() && entry->first.starts_with(prefix);) {
      bytes_ -= entry->second.built.bytes;
      order_.erase(entry->second.position);
      entry = entries_.erase(entry);
    }
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
  struct Flight {
    bool landed = false;
    absl::StatusOr<std::shared_ptr<const Value>> result = absl::UnknownError("not landed");
  };
  struct Entry {
    Built built;
    std::list<std::string>::iterator position;
  };

  void Keep(const std::string& key, Built built) MP_REQUIRES(mutex_) {
    if (built.bytes > maximum_bytes_) return;
    bytes_ += built.bytes;
    order_.push_front(key);
    entries_.insert_or_assign(key, Entry{std::move(built), order_.begin()});
    while (bytes_ > maximum_bytes_) {
      const auto oldest = entries_.find(order_.back());
      bytes_ -= oldest->second.built.bytes;
      entries_.erase(oldest);
      order_.pop_back();
    }
  }

  const int64_t maximum_bytes_;

  base::Mutex mutex_;
  base::CondVar condition_;
  std::map<std::string, Entry> entries_ MP_GUARDED_BY(mutex_);
  std::list<std::string> order_ MP_GUARDED_BY(mutex_);  // most recently used first
  std::map<std::string, std::shared_ptr<Flight>> flights_ MP_GUARDED_BY(mutex_);
  int64_t bytes_ MP_GUARDED_BY(mutex_) = 0;
  int64_t hits_ MP_GUARDED_BY(mutex_) = 0;
  int64_t misses_ MP_GUARDED_BY(mutex_) = 0;
};

}  // namespace modelpatch::serve
