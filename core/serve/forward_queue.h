// ForwardQueue: what waits for a forward, bounded, and fair between clients.
//
// Clients are served in turn, one request each, so that one with a thousand requests delays another's single one by one
// request and not by a thousand; and one client may hold half of the queue at most. Not thread-safe: the batcher's lock
// guards it.
#pragma once

#include <cstdint>
#include <deque>
#include <list>
#include <span>
#include <string>
#include <vector>

#include "core/base/status.h"
#include "core/serve/forward_request.h"

namespace modelpatch::serve {

class ForwardQueue {
 public:
  explicit ForwardQueue(int64_t maximum_images) : maximum_images_(maximum_images) {}

  // RESOURCE_EXHAUSTED (QUEUE_FULL, CLIENT_QUEUE_FULL), and then `waiting` is left as it is. A request that is larger
  // than its bound passes while nothing else stands against that bound, or it could never run.
  absl::Status Push(WaitingForward& waiting);

  bool empty() const { return clients_.empty(); }
  int64_t images() const { return images_; }
  // Of the request that waits longest. Only if not empty.
  base::SteadyTime oldest_arrival() const;

  // All that waits, in the order in which it is fair to serve it. Valid until the queue changes.
  std::vector<const WaitingForward*> InFairOrder() const;
  // Takes out what stands at these positions of the fair order, and ends the turn of the first client. Only if not
  // empty.
  std::vector<WaitingForward> Take(std::span<const size_t> positions);

  std::vector<WaitingForward> TakeAll();

 private:
  struct Client {
    std::string name;
    std::deque<WaitingForward> waiting;  // never empty
    int64_t images = 0;
  };

  const int64_t maximum_images_;
  std::list<Client> clients_;  // whose turn it is first
  int64_t images_ = 0;
};

}  // namespace modelpatch::serve
