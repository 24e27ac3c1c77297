#include "server/record_messages.h"

#include <fmt/format.h>
#include <google/protobuf/util/json_util.h>

#include <chrono>
#include <nlohmann/json.hpp>

#include "core/base/digest.h"
#include "server/resource_names.h"

namespace modelpatch::server {
namespace {

constexpr char kRequestIdKey[] = "createRequestId";
constexpr char kRequestDigestKey[] = "createRequestDigest";

std::string TextIn(const nlohmann::json& document, const char* key) {
  const auto found = document.find(key);
  return found != document.end() && found->is_string() ? found->get<std::string>() : "";
}

}  // namespace

google::protobuf::Timestamp ToTimestamp(base::WallTime time) {
  const auto since = time.time_since_epoch();
  const auto seconds = std::chrono::floor<std::chrono::seconds>(since);
  google::protobuf::Timestamp result;
  result.set_seconds(seconds.count());
  result.set_nanos(static_cast<int32_t>(std::chrono::nanoseconds(since - seconds).count()));
  return result;
}

RequestKey MakeRequestKey(const google::protobuf::Message& request, const std::string& request_id) {
  return {request_id, base::Sha256Hex(request.SerializeAsString())};
}

std::string ToRecordJson(const google::protobuf::Message& message, const RequestKey& key) {
  std::string text;
  // Cannot fail: messages of this API hold no Any of unknown types.
  (void)google::protobuf::util::MessageToJsonString(message, &text);
  if (key.id.empty()) return text;
  nlohmann::json json = nlohmann::json::parse(text, nullptr, false);
  if (json.is_discarded()) json = nlohmann::json::object();
  json[kRequestIdKey] = key.id;
  json[kRequestDigestKey] = key.digest;
  return json.dump();
}

absl::Status FromRecordJson(const std::string& json, google::protobuf::Message* message) {
  google::protobuf::util::JsonParseOptions options;
  options.ignore_unknown_fields = true;
  if (google::protobuf::util::JsonStringToMessage(json, message, options).ok()) return absl::OkStatus();
  return base::DataLoss("METADATA_CORRUPT",
                        fmt::format("a stored record is not a {} message; restore the data directory "
                                    "from a copy, or delete the resource",
                                    message->GetTypeName()));
}

RequestKey RequestKeyOf(const std::string& json) {
  const nlohmann::json document = nlohmann::json::parse(json, nullptr, false);
  if (!document.is_object()) return {};
  return {TextIn(document, kRequestIdKey), TextIn(document, kRequestDigestKey)};
}

absl::StatusOr<v1::Model> ToMessage(const store::ModelRecord& record) {
  v1::Model model;
  MP_RETURN_IF_ERROR(FromRecordJson(record.details_json, &model));
  model.set_name(ResourceName(kModels, record.id));
  *model.mutable_create_time() = ToTimestamp(record.create_time);
  model.set_digest(record.digest);
  return model;
}

absl::StatusOr<v1::Task> ToMessage(const store::TaskRecord& record) {
  v1::Task task;
  MP_RETURN_IF_ERROR(FromRecordJson(record.details_json, &task));
  task.set_name(ResourceName(kTasks, record.id));
  *task.mutable_create_time() = ToTimestamp(record.create_time);
  task.set_digest(record.digest);
  return task;
}

absl::StatusOr<v1::Checkpoint> ToMessage(const store::CheckpointRecord& record) {
  v1::Checkpoint checkpoint;
  MP_RETURN_IF_ERROR(FromRecordJson(record.manifest_json, &checkpoint));
  checkpoint.set_name(ResourceName(kCheckpoints, record.id));
  *checkpoint.mutable_create_time() = ToTimestamp(record.create_time);
  checkpoint.set_model(ResourceName(kModels, record.model_id));
  checkpoint.set_blob_digest(record.blob_digest);
  return checkpoint;
}

}  // namespace modelpatch::server
