// MixtureDemand: which mixtures are asked for so much that they are worth materialising.
//
// An image that is mixed within its batch costs more than one of a materialised mixture, but materialising costs too,
// and an α that moves is asked for once. So a mixture is materialised when mixing it has cost as much extra as
// materialising it would: whatever the future brings, that costs at most twice the best (the rent-or-buy rule of Karlin
// et al. 1988, "Competitive snoopy caching"). Thread safety: thread-safe.
#pragma once

#include <cstddef>
#include <list>
#include <map>
#include <string>

#include "core/base/mutex.h"

namespace modelpatch::serve {

class MixtureDemand {
 public:
  // Remembers this many mixtures, those that were asked for last.
  explicit MixtureDemand(size_t maximum_mixtures) : maximum_mixtures_(maximum_mixtures) {}

  // Adds what mixing costs extra for one request. True as soon as it has added up to `price` since the last time.
  bool Charge(const std::string& mixture, double extra, double price);

 private:
  struct Account {
    double extra = 0;
    std::list<std::string>::iterator place;
  };

  const size_t maximum_mixtures_;
  base::Mutex mutex_;
  std::map<std::string, Account> accounts_ MP_GUARDED_BY(mutex_);
  std::list<std::string> order_ MP_GUARDED_BY(mutex_);  // asked for last first
};

}  // namespace modelpatch::serve
