#include "client/cli/classify_bulk.h"

#include <cstdint>
#include <optional>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "client/classify_stream.h"
#include "client/cli/arguments.h"
#include "client/cli/session.h"
#include "client/cli/table.h"
#include "client/cli/text_format.h"
#include "client/status_macros.h"

namespace modelpatch::client {
namespace {

// A number stands for the path on the way: a path may be no UTF-8.
void ShowPath(const std::vector<std::string>& images, v1::StreamClassifyResult& result) {
  size_t index = 0;
  if (absl::SimpleAtoi(result.id(), &index) && index < images.size()) result.set_id(Printable(images[index]));
}

}  // namespace

std::string BulkLine(const v1::StreamClassifyResult& result) {
  std::string line = result.id();
  if (result.has_error()) absl::StrAppend(&line, "\terror: ", Printable(result.error().message()));
  for (const v1::ClassScore& score : result.result().scores()) {
    absl::StrAppend(&line, "\t", Printable(score.class_name()), " ", Percent(score.probability()));
  }
  return absl::StrCat(line, "\n");
}

absl::Status ClassifyBulk(Session& session, const v1::StreamClassifyHeader& header,
                          const std::vector<std::string>& images) {
  int64_t failures = 0;
  absl::Status printed;
  const auto show = [&](v1::StreamClassifyResult result) {
    if (result.has_error()) ++failures;
    ShowPath(images, result);
    const absl::Status status = session.Print(result, BulkLine);
    if (printed.ok()) printed = status;
  };
  // Of the thread that sends, until the stream has ended.
  std::vector<v1::StreamClassifyResult> unreadable;
  size_t next = 0;
  const auto next_image = [&]() -> absl::StatusOr<std::optional<v1::StreamClassifyImage>> {
    for (; next < images.size(); ++next) {
      auto content = ReadFile(images[next]);
      if (!content.ok()) {
        v1::StreamClassifyResult& result = unreadable.emplace_back();
        result.set_id(absl::StrCat(next));
        result.mutable_error()->set_code(static_cast<int>(content.status().code()));
        result.mutable_error()->set_message(std::string(content.status().message()));
        continue;
      }
      v1::StreamClassifyImage image;
      image.set_id(absl::StrCat(next++));
      *image.mutable_image()->mutable_encoded() = *std::move(content);
      return image;
    }
    return std::nullopt;
  };
  const auto on_start = [&](const v1::StreamClassifyStart& start) {
    if (start.truncated_prompt_count() > 0) {
      session.error() << start.truncated_prompt_count() << " prompts were too long for the model and were cut"
                      << std::endl;
    }
  };
  CLIENT_RETURN_IF_ERROR(StreamClassify(session.channel(), header, next_image, on_start, show));
  for (const v1::StreamClassifyResult& result : unreadable) show(result);
  CLIENT_RETURN_IF_ERROR(printed);
  if (failures == 0) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat(failures, " of ", images.size(), " images could not be classified; their lines say why"));
}

}  // namespace modelpatch::client
