// Session: what every command has: the server, where output goes and in which form. Not thread-safe.
#pragma once

#include <functional>
#include <memory>
#include <ostream>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "client/client.h"
#include "client/transfer_client.h"

namespace google::protobuf {
class Message;
}

namespace modelpatch::client {

class Session {
 public:
  // The streams outlive the session.
  Session(std::ostream& out, std::ostream& error) : out_(out), error_(error) {}

  // Set by the options of the command line.
  std::string server = "127.0.0.1:8001";
  bool json = false;
  double timeout_seconds = 0;  // 0: the defaults of ClientOptions
  // The command that the line names, set while it is parsed.
  std::function<absl::Status()> command;

  // All over one connection, made at the first call.
  Client& client();
  TransferClient& transfers();
  const std::shared_ptr<grpc::ChannelInterface>& channel();

  // For results.
  std::ostream& out() { return out_; }
  // For progress and remarks.
  std::ostream& error() { return error_; }
  // Whether `error()` is a terminal.
  bool error_is_terminal() const;

  // Prints one message in proto3 JSON on a line of its own: lowerCamelCase, default values printed.
  absl::Status PrintJson(const google::protobuf::Message& message);

  // Prints `message` as JSON, or what `text` makes of it.
  template <typename Message, typename Text>
  absl::Status Print(const Message& message, Text&& text) {
    if (json) return PrintJson(message);
    out_ << text(message);
    return absl::OkStatus();
  }

 private:
  std::ostream& out_;
  std::ostream& error_;
  ClientOptions Options() const;

  std::shared_ptr<grpc::ChannelInterface> channel_;
  std::unique_ptr<Client> client_;
  std::unique_ptr<TransferClient> transfers_;
};

// All pages of a list, as one response. `call` takes the request; `Request` has page_token, `Response` next_page_token.
template <typename Request, typename Call>
auto AllPages(Call&& call) -> decltype(call(Request())) {
  Request request;
  auto all = call(request);
  while (all.ok() && !all->next_page_token().empty()) {
    request.set_page_token(all->next_page_token());
    all->clear_next_page_token();
    auto page = call(request);
    if (!page.ok()) return page.status();
    all->MergeFrom(*page);
  }
  return all;
}

}  // namespace modelpatch::client
