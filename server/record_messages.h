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

// What makes a creation repeatable: the client's request_id (may be empty), and a digest of all that it asked for.
struct RequestKey {
  std::string id;
  std::string digest;

  bool operator==(const RequestKey&) const = default;
};

RequestKey MakeRequestKey(const google::protobuf::Message& request, const std::string& request_id);

// One line of proto3 JSON. The key, if it has an id, is kept beside the message's own fields.
std::string ToRecordJson(const google::protobuf::Message& message, const RequestKey& key = {});

// DATA_LOSS (METADATA_CORRUPT) if `json` is not a message of that type.
absl::Status FromRecordJson(const std::string& json, google::protobuf::Message* message);
// The key kept in `json`, with "" for what is not there.
RequestKey RequestKeyOf(const std::string& json);

absl::StatusOr<v1::Model> ToMessage(const store::ModelRecord& record);
absl::StatusOr<v1::Task> ToMessage(const store::TaskRecord& record);
absl::StatusOr<v1::Checkpoint> ToMessage(const store::CheckpointRecord& record);

}  // namespace modelpatch::server
