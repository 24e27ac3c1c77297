#include "server/status_conversion.h"

#include <algorithm>
#include <string>

#include "core/base/text.h"
#include "google/rpc/error_details.pb.h"

namespace modelpatch::server {
namespace {

constexpr char kDomain[] = "modelpatch";
// gRPC sends the message and the details as trailing metadata, of which clients take 8 KiB by default.
constexpr size_t kMaximumMessageBytes = 1500;
constexpr int64_t kRetrySeconds = 1;

// Valid UTF-8 (protobuf and gRPC insist on it), and short enough for trailing metadata.
std::string SafeText(std::string_view text) {
  std::string result(text.substr(0, kMaximumMessageBytes));
  if (text.size() > kMaximumMessageBytes) {
    // Not in the middle of a character.
    while (!result.empty() && (static_cast<unsigned char>(result.back()) & 0xc0) == 0x80) result.pop_back();
    if (!result.empty() && static_cast<unsigned char>(result.back()) >= 0xc0) result.pop_back();
    result += "…";
  }
  if (base::IsValidUtf8(result)) return result;
  std::replace_if(
      result.begin(), result.end(), [](char c) { return static_cast<unsigned char>(c) >= 0x80; }, '?');
  return result;
}

bool WaitingHelps(const absl::Status& status, const std::string& reason) {
  return status.code() == absl::StatusCode::kUnavailable || reason == "QUEUE_FULL" ||
         reason.rfind("TOO_MANY_UNFINISHED", 0) == 0;
}

}  // namespace

absl::Status AtField(const absl::Status& status, std::string_view field) {
  if (status.ok()) return status;
  return base::WithField(base::Error(status.code(), base::ReasonOf(status), std::string(status.message())), field);
}

absl::Status MalformedRequest() {
  return base::InvalidArgument("MALFORMED_REQUEST",
                               "the request is not a message of this call: its bytes cannot be parsed, or a text in it "
                               "is not valid UTF-8");
}

google::rpc::Status ToRpcStatus(const absl::Status& status) {
  google::rpc::Status result;
  if (status.ok()) return result;
  const std::string message = SafeText({status.message().data(), status.message().size()});
  result.set_code(static_cast<int>(status.code()));
  result.set_message(message);

  const std::string reason = base::ReasonOf(status);
  google::rpc::ErrorInfo info;
  info.set_reason(reason.empty() ? "UNSPECIFIED" : reason);
  info.set_domain(kDomain);
  result.add_details()->PackFrom(info);

  if (const std::string field = base::FieldOf(status); !field.empty()) {
    google::rpc::BadRequest bad_request;
    auto* violation = bad_request.add_field_violations();
    violation->set_field(SafeText(field));
    violation->set_description(message);
    result.add_details()->PackFrom(bad_request);
  }
  if (WaitingHelps(status, reason)) {
    google::rpc::RetryInfo retry;
    retry.mutable_retry_delay()->set_seconds(kRetrySeconds);
    result.add_details()->PackFrom(retry);
  }
  return result;
}

grpc::Status ToGrpcStatus(const absl::Status& status) {
  if (status.ok()) return grpc::Status::OK;
  const google::rpc::Status details = ToRpcStatus(status);
  // The numbers of absl's codes are gRPC's.
  return {static_cast<grpc::StatusCode>(status.code()), details.message(), details.SerializeAsString()};
}

}  // namespace modelpatch::server
