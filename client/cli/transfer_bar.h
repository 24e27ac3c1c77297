// TransferBar: how far an upload or a download is, on one line of a terminal that is written over. Elsewhere nothing.
//
// Not thread-safe; the session outlives it.
#pragma once

#include <cstdint>
#include <string>

#include "client/cli/session.h"
#include "client/transfer_client.h"

namespace modelpatch::client {

class TransferBar {
 public:
  // `what` comes first: "sending".
  TransferBar(Session& session, std::string what);
  // Ends the line.
  ~TransferBar();
  TransferBar(const TransferBar&) = delete;
  TransferBar& operator=(const TransferBar&) = delete;

  // For the transfer's calls; this outlives it.
  TransferProgress Progress();

 private:
  Session& session_;
  const std::string what_;
  const bool shown_;
  std::string text_;
};

}  // namespace modelpatch::client
