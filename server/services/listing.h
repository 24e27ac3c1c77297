// What the services for named resources have in common: checks of a creation, and walks over all records.
#pragma once

#include <fmt/format.h>

#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "core/base/status.h"
#include "core/base/text.h"
#include "core/store/metadata_store.h"
#include "server/record_messages.h"
#include "server/resource_names.h"

namespace modelpatch::server {

// INVALID_ARGUMENT with the field `id_field` or `request_id`.
inline absl::Status CheckNewResource(const std::string& id, std::string_view id_field, const std::string& request_id) {
  MP_RETURN_IF_ERROR(base::WithField(base::CheckResourceId(id), id_field));
  return CheckRequestId(request_id);
}

// The JSON of a record that keeps the key of the request that made it.
inline const std::string& JsonOf(const store::ModelRecord& record) { return record.details_json; }
inline const std::string& JsonOf(const store::TaskRecord& record) { return record.details_json; }
inline const std::string& JsonOf(const store::CheckpointRecord& record) { return record.manifest_json; }

// OK if the request of `key` made the resource that keeps `made_by`, else ALREADY_EXISTS: RESOURCE_ALREADY_EXISTS, or
// REQUEST_ID_REUSED with the field `request_id` if it has the same request_id and asks for something else.
inline absl::Status CheckRepeated(std::string_view collection, const std::string& id, const RequestKey& key,
                                  const RequestKey& made_by) {
  if (key.id.empty() || key.id != made_by.id) {
    return base::AlreadyExists(
        "RESOURCE_ALREADY_EXISTS",
        fmt::format("{}/{} exists already; choose another id, or delete it first", collection, id));
  }
  // A record that was made before digests were kept has none.
  if (made_by.digest.empty() || made_by.digest == key.digest) return absl::OkStatus();
  return base::WithField(
      base::AlreadyExists(
          "REQUEST_ID_REUSED",
          fmt::format("request_id '{}' was used for {}/{} with other content; give another request_id and another id",
                      base::Printable(key.id), collection, id)),
      "request_id");
}

// The answer to a creation, if what it is to make is there already: `response` and OK, or the error of CheckRepeated.
template <typename Record, typename Message>
std::optional<absl::Status> AnswerRepeated(std::string_view collection, const absl::StatusOr<Record>& existing,
                                           const RequestKey& key, Message* response) {
  if (!existing.ok()) return std::nullopt;
  MP_RETURN_IF_ERROR(CheckRepeated(collection, existing->id, key, RequestKeyOf(JsonOf(*existing))));
  MP_ASSIGN_OR_RETURN(*response, ToMessage(*existing));
  return absl::OkStatus();
}

// Whether any record of all pages fits.
template <typename Record>
absl::StatusOr<bool> AnyRecord(
    const std::function<absl::StatusOr<store::Page<Record>>(const store::PageRequest&)>& list,
    const std::function<bool(const Record&)>& fits) {
  store::PageRequest request;
  request.page_size = 1000;
  do {
    MP_ASSIGN_OR_RETURN(const store::Page<Record> page, list(request));
    for (const Record& record : page.records) {
      if (fits(record)) return true;
    }
    request.page_token = page.next_page_token;
  } while (!request.page_token.empty());
  return false;
}

}  // namespace modelpatch::server
