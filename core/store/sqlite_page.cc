#include "core/store/sqlite_page.h"

#include <fmt/format.h>

#include <charconv>
#include <chrono>
#include <limits>
#include <optional>
#include <string_view>

#include "core/base/text.h"

namespace modelpatch::store {
namespace {

constexpr int kDefaultPageSize = 50;
constexpr int kMaximumPageSize = 1000;

std::optional<std::string> FromHex(std::string_view text) {
  if (text.size() % 2 != 0) return std::nullopt;
  std::string bytes;
  for (size_t i = 0; i < text.size(); i += 2) {
    unsigned value = 0;
    const auto [end, error] = std::from_chars(text.data() + i, text.data() + i + 2, value, 16);
    if (error != std::errc() || end != text.data() + i + 2) return std::nullopt;
    bytes += static_cast<char>(value);
  }
  return bytes;
}

}  // namespace

absl::StatusOr<PageCursor> ParsePageRequest(const PageRequest& request, const std::string& list) {
  if (request.page_size < 0) {
    return base::WithField(
        base::InvalidArgument("BAD_PAGE_SIZE", fmt::format("page_size is {}; give 0 or more", request.page_size)),
        "page_size");
  }
  PageCursor cursor{std::numeric_limits<int64_t>::min(), "", kDefaultPageSize};
  if (request.page_size > 0) cursor.limit = request.page_size < kMaximumPageSize ? request.page_size : kMaximumPageSize;
  if (request.page_token.empty()) return cursor;

  const absl::Status bad = base::WithField(
      base::InvalidArgument("BAD_PAGE_TOKEN", fmt::format("page_token '{}' is not one that this list gave; give the "
                                                          "next_page_token of the page before, or none",
                                                          base::Printable(request.page_token))),
      "page_token");
  const std::optional<std::string> bytes = FromHex(request.page_token);
  const std::string prefix = "1 " + list + " ";
  if (!bytes.has_value() || bytes->compare(0, prefix.size(), prefix) != 0) return bad;
  const char* begin = bytes->data() + prefix.size();
  const char* end = bytes->data() + bytes->size();
  const auto [rest, error] = std::from_chars(begin, end, cursor.create_time);
  if (error != std::errc() || rest == end || *rest != ' ') return bad;
  cursor.id.assign(rest + 1, end);
  return cursor;
}

std::string MakePageToken(const std::string& list, base::WallTime create_time, const std::string& id) {
  std::string token;
  for (const unsigned char byte : fmt::format("1 {} {} {}", list, create_time.time_since_epoch().count(), id)) {
    token += fmt::format("{:02x}", byte);
  }
  return token;
}

}  // namespace modelpatch::store
