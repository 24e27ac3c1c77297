#include "server/promoted_patches.h"

#include <fmt/format.h>

#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace modelpatch::server {
namespace {

absl::StatusOr<std::vector<std::string>> PromotedNames(store::MetadataStore& metadata) {
  std::vector<std::string> names;
  store::PageRequest request;
  do {
    MP_ASSIGN_OR_RETURN(const auto page, metadata.ListPatches(request));
    for (const store::PatchRecord& patch : page.records) {
      for (const store::PatchAliasRecord& one : patch.aliases) {
        names.push_back(fmt::format("patches/{}@{}", patch.id, one.alias));
      }
    }
    request.page_token = page.next_page_token;
  } while (!request.page_token.empty());
  return names;
}

}  // namespace

void PinPromotedPatches(store::MetadataStore& metadata, const MixtureResolver& resolver, serve::InferenceEngine& engine,
                        base::Logger& log) {
  const auto names = PromotedNames(metadata);
  if (!names.ok()) {
    log.Warning("cannot read the promoted patches", {{"error", std::string(names.status().message())}});
    return;
  }
  std::vector<serve::ResolvedMixture> mixtures;
  for (const std::string& name : *names) {
    auto resolution = resolver.ResolvePatch(name, std::nullopt);
    if (resolution.ok()) {
      mixtures.push_back(std::move(resolution->mixture));
    } else {
      log.Warning("cannot pin a patch", {{"patch", name}, {"error", std::string(resolution.status().message())}});
    }
  }
  engine.Pin(std::move(mixtures));
}

}  // namespace modelpatch::server
