#include "client/cli/session.h"

#include <google/protobuf/message.h>
#include <google/protobuf/util/json_util.h>
#include <unistd.h>

#include <chrono>
#include <iostream>

#include "absl/strings/str_cat.h"

namespace modelpatch::client {

ClientOptions Session::Options() const {
  ClientOptions options;
  if (timeout_seconds > 0) {
    const auto timeout = std::chrono::milliseconds(static_cast<int64_t>(timeout_seconds * 1000));
    options.deadline = timeout;
    options.long_deadline = timeout;
  }
  return options;
}

const std::shared_ptr<grpc::ChannelInterface>& Session::channel() {
  if (channel_ == nullptr) channel_ = MakeChannel(server);
  return channel_;
}

Client& Session::client() {
  if (client_ == nullptr) client_ = std::make_unique<Client>(channel(), Options());
  return *client_;
}

TransferClient& Session::transfers() {
  if (transfers_ == nullptr) transfers_ = std::make_unique<TransferClient>(channel(), Options());
  return *transfers_;
}

bool Session::error_is_terminal() const { return &error_ == &std::cerr && isatty(STDERR_FILENO) == 1; }

absl::Status Session::PrintJson(const google::protobuf::Message& message) {
  google::protobuf::util::JsonPrintOptions options;
  options.always_print_primitive_fields = true;
  std::string text;
  const auto status = google::protobuf::util::MessageToJsonString(message, &text, options);
  if (!status.ok()) return absl::InternalError(absl::StrCat("cannot print the response as JSON: ", status.ToString()));
  out_ << text << std::endl;
  return absl::OkStatus();
}

}  // namespace modelpatch::client
