#include "client/status_details.h"

#include <grpcpp/support/status.h>

#include <optional>
#include <string_view>

#include "absl/status/statusor.h"
#include "absl/strings/cord.h"
#include "absl/strings/str_cat.h"
#include "google/rpc/error_details.pb.h"
#include "google/rpc/status.pb.h"

namespace modelpatch::client {
namespace {

constexpr char kErrorInfoUrl[] = "type.googleapis.com/google.rpc.ErrorInfo";
constexpr char kBadRequestUrl[] = "type.googleapis.com/google.rpc.BadRequest";

template <typename Message>
std::optional<Message> PayloadOf(const absl::Status& status, const char* url) {
  const auto payload = status.GetPayload(url);
  Message message;
  if (!payload.has_value() || !message.ParseFromString(std::string(*payload))) return std::nullopt;
  return message;
}

void AddDetails(const google::rpc::Status& from, absl::Status& to) {
  for (const auto& detail : from.details()) to.SetPayload(detail.type_url(), absl::Cord(detail.value()));
}

}  // namespace

absl::Status FromGrpcStatus(const grpc::Status& status) {
  if (status.ok()) return absl::OkStatus();
  absl::Status result(static_cast<absl::StatusCode>(status.error_code()), status.error_message());
  google::rpc::Status details;
  if (!status.error_details().empty() && details.ParseFromString(status.error_details())) AddDetails(details, result);
  return result;
}

absl::Status FromRpcStatus(const google::rpc::Status& status) {
  if (status.code() == 0) return absl::OkStatus();
  absl::Status result(static_cast<absl::StatusCode>(status.code()), status.message());
  AddDetails(status, result);
  return result;
}

std::string ReasonOf(const absl::Status& status) {
  const auto info = PayloadOf<google::rpc::ErrorInfo>(status, kErrorInfoUrl);
  return info.has_value() ? info->reason() : std::string();
}

std::vector<FieldViolation> FieldViolationsOf(const absl::Status& status) {
  std::vector<FieldViolation> result;
  if (const auto request = PayloadOf<google::rpc::BadRequest>(status, kBadRequestUrl); request.has_value()) {
    for (const auto& violation : request->field_violations()) {
      result.push_back({violation.field(), violation.description()});
    }
  }
  return result;
}

std::string Describe(const absl::Status& status) {
  if (status.ok()) return "OK";
  const std::string message(status.message());
  std::string text = absl::StrCat(message, message.empty() ? "" : "\n  ", absl::StatusCodeToString(status.code()));
  if (const std::string reason = ReasonOf(status); !reason.empty()) absl::StrAppend(&text, ", reason ", reason);
  for (const FieldViolation& violation : FieldViolationsOf(status)) {
    absl::StrAppend(&text, "\n  field ", violation.field);
    if (!violation.description.empty() && violation.description != message) {
      absl::StrAppend(&text, ": ", violation.description);
    }
  }
  return text;
}

}  // namespace modelpatch::client
