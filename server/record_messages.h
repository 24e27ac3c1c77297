// The metadata store's records as messages of the API, and back into the JSON that the records carry.
//
// A record keeps what a user sees of it as proto3 JSON of its message; name and time come from the record itself.
// Pure functions.
#pragma once

#include <google/protobuf/message.h>
#include <google/protobuf/timestamp.pb.h>

#include <string>

#include "core/base/clock.h"
#include "core/base/status.h"
#include "core/store/records.h"
#include "modelpatch/v1/resources.pb.h"

namespace modelpatch::server {

google::protobuf::Timestamp ToTimestamp(base::WallTime time);

// One line of proto3 JSON. The request_id, if there is one, is kept beside the message's own fields.
std::string ToRecordJson(const google::protobuf::Message& message, const std::string& request_id);

// DATA_LOSS (METADATA_CORRUPT) if `json` is not a message of that type.
absl::Status FromRecordJson(const std::string& json, google::protobuf::Message* message);
// The request_id kept in `json`, or "".
std::string RequestIdOf(const std::string& json);

absl::StatusOr<v1::Model> ToMessage(const store::ModelRecord& record);
absl::StatusOr<v1::Task> ToMessage(const store::TaskRecord& record);
absl::StatusOr<v1::Checkpoint> ToMessage(const store::CheckpointRecord& record);

}  // namespace modelpatch::server
