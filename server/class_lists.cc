#include "server/class_lists.h"

#include <utility>
#include <vector>

#include "modelpatch/v1/resources.pb.h"
#include "server/classes_conversion.h"
#include "server/status_conversion.h"

namespace modelpatch::server {
namespace {

using Cache = serve::SingleFlightCache<serve::ClassList>;

// A key is held by the cache's table and by its order of use.
constexpr int64_t kKeyCopies = 2;

}  // namespace

absl::StatusOr<std::shared_ptr<const serve::ClassList>> ClassLists::Get(const std::string& class_prompts) {
  return lists_.Get(class_prompts, [&](const base::CancellationToken&) -> absl::StatusOr<Cache::Built> {
    v1::ClassPrompts message;
    if (!message.ParseFromString(class_prompts)) return MalformedRequest();
    MP_ASSIGN_OR_RETURN(std::vector<model::ClassPrompts> classes, ToClassPrompts(message, limits_));
    auto list = std::make_shared<const serve::ClassList>(std::move(classes));
    const int64_t bytes = list->bytes() + kKeyCopies * static_cast<int64_t>(class_prompts.size());
    return Cache::Built{std::move(list), bytes};
  });
}

}  // namespace modelpatch::server
