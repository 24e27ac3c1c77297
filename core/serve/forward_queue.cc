#include "core/serve/forward_queue.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <utility>

namespace modelpatch::serve {
namespace {

constexpr int64_t kClientsShare = 2;  // one half

// The first request of each client, then the second of each, and so on.
template <typename Waiting, typename Clients>
std::vector<Waiting*> FairOrder(Clients& clients) {
  std::vector<Waiting*> fair;
  for (size_t round = 0;; ++round) {
    const size_t before = fair.size();
    for (auto& client : clients) {
      if (round < client.waiting.size()) fair.push_back(&client.waiting[round]);
    }
    if (fair.size() == before) return fair;
  }
}

}  // namespace

absl::Status ForwardQueue::Push(WaitingForward& waiting) {
  const int64_t count = waiting.request.count;
  if (images_ > 0 && images_ + count > maximum_images_) {
    return base::ResourceExhausted("QUEUE_FULL", fmt::format("{} images wait already; try again later", images_));
  }
  auto client = std::find_if(clients_.begin(), clients_.end(),
                             [&](const Client& other) { return other.name == waiting.request.client; });
  if (client == clients_.end()) {
    client = clients_.insert(clients_.end(), Client{waiting.request.client, {}, 0});
  } else if (client->images + count > maximum_images_ / kClientsShare) {
    return base::ResourceExhausted(
        "CLIENT_QUEUE_FULL",
        fmt::format("{} images of this client wait already; send more when they are answered", client->images));
  }
  client->waiting.push_back(std::move(waiting));
  client->images += count;
  images_ += count;
  return absl::OkStatus();
}

base::SteadyTime ForwardQueue::oldest_arrival() const {
  base::SteadyTime oldest = base::SteadyTime::max();
  for (const Client& client : clients_) oldest = std::min(oldest, client.waiting.front().arrival);
  return oldest;
}

std::vector<const WaitingForward*> ForwardQueue::InFairOrder() const {
  return FairOrder<const WaitingForward>(clients_);
}

std::vector<WaitingForward> ForwardQueue::Take(std::span<const size_t> positions) {
  const std::vector<WaitingForward*> fair = FairOrder<WaitingForward>(clients_);
  std::vector<WaitingForward> taken;
  for (const size_t position : positions) {
    images_ -= fair[position]->request.count;
    taken.push_back(std::move(*fair[position]));
    fair[position]->done = nullptr;
  }
  for (const WaitingForward& waiting : taken) {
    std::find_if(clients_.begin(), clients_.end(), [&](const Client& client) {
      return client.name == waiting.request.client;
    })->images -= waiting.request.count;
  }
  for (Client& client : clients_) {
    std::erase_if(client.waiting, [](const WaitingForward& waiting) { return waiting.done == nullptr; });
  }
  // Whoever was served first has had a turn.
  clients_.splice(clients_.end(), clients_, clients_.begin());
  clients_.remove_if([](const Client& client) { return client.waiting.empty(); });
  return taken;
}

std::vector<WaitingForward> ForwardQueue::TakeAll() {
  std::vector<WaitingForward> all;
  for (Client& client : clients_) std::move(client.waiting.begin(), client.waiting.end(), std::back_inserter(all));
  clients_.clear();
  images_ = 0;
  return all;
}

}  // namespace modelpatch::serve
