#include "server/resource_names.h"

#include <fmt/format.h>

#include "core/base/text.h"

namespace modelpatch::server {
namespace {

constexpr size_t kMaximumRequestIdBytes = 128;

}  // namespace

absl::StatusOr<std::string> ParseResourceName(std::string_view collection, std::string_view name) {
  const bool prefixed = name.size() > collection.size() && name.substr(0, collection.size()) == collection &&
                        name[collection.size()] == '/';
  if (!prefixed) {
    return base::InvalidArgument("BAD_RESOURCE_NAME", fmt::format("'{}' is not a resource name of the form {}/ID",
                                                                  base::Printable(name), collection));
  }
  const std::string_view id = name.substr(collection.size() + 1);
  MP_RETURN_IF_ERROR(base::CheckResourceId(id));
  return std::string(id);
}

std::string ResourceName(std::string_view collection, std::string_view id) {
  return id.empty() ? std::string() : fmt::format("{}/{}", collection, id);
}

absl::Status CheckRequestId(std::string_view request_id) {
  if (request_id.size() <= kMaximumRequestIdBytes && base::IsValidUtf8(request_id)) return absl::OkStatus();
  return base::WithField(
      base::InvalidArgument("BAD_REQUEST_ID",
                            fmt::format("the request_id '{}' has {} bytes; use at most {} bytes of UTF-8",
                                        base::Printable(request_id), request_id.size(), kMaximumRequestIdBytes)),
      "request_id");
}

}  // namespace modelpatch::server
