#include "core/serve/mixture_demand.h"

namespace modelpatch::serve {

bool MixtureDemand::Charge(const std::string& mixture, double extra, double price) {
  base::MutexLock lock(mutex_);
  const auto [entry, is_new] = accounts_.try_emplace(mixture);
  Account& account = entry->second;
  if (is_new) {
    order_.push_front(mixture);
    account.place = order_.begin();
  } else {
    order_.splice(order_.begin(), order_, account.place);
  }
  account.extra += extra;
  if (account.extra >= price) {
    order_.erase(account.place);
    accounts_.erase(entry);
    return true;
  }
  if (accounts_.size() > maximum_mixtures_) {
    accounts_.erase(order_.back());
    order_.pop_back();
  }
  return false;
}

}  // namespace modelpatch::serve
