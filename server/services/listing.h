// What the services for named resources have in common: checks of a creation, and walks over all records.
#pragma once

#include <fmt/format.h>

#include <functional>
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

// Of a resource that is there already, with this record JSON: OK if the same request made it, else ALREADY_EXISTS.
inline absl::Status CheckRepeated(std::string_view collection, const std::string& id, const std::string& request_id,
                                  const std::string& record_json) {
  if (!request_id.empty() && RequestIdOf(record_json) == request_id) return absl::OkStatus();
  return base::AlreadyExists(
      "RESOURCE_ALREADY_EXISTS",
      fmt::format("{}/{} exists already; choose another id, or delete it first", collection, id));
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
