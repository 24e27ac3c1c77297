#include "server/model_card.h"

#include <fmt/format.h>
#include <google/protobuf/util/json_util.h>

#include <string_view>

namespace modelpatch::server {
namespace {

std::string_view NameOf(v1::Split split) {
  return split == v1::SPLIT_TEST ? "test" : split == v1::SPLIT_TRAIN ? "training" : "validation";
}

template <typename Accuracies>
std::string AccuracyList(const std::string& title, const Accuracies& accuracies) {
  std::string lines;
  for (const v1::TaskAccuracy& accuracy : accuracies) {
    const char* role = accuracy.role() == v1::TASK_ROLE_PATCHING    ? " (patching)"
                       : accuracy.role() == v1::TASK_ROLE_SUPPORTED ? " (supported)"
                                                                    : "";
    lines += fmt::format("- {}{}: {:.2f} % of {} {} images\n", accuracy.task(), role, 100 * accuracy.accuracy(),
                         accuracy.total(), NameOf(accuracy.split()));
  }
  return lines.empty() ? "" : title + "\n\n" + lines + "\n";
}

std::string Lineage(const v1::Checkpoint& checkpoint) {
  google::protobuf::util::JsonPrintOptions options;
  options.add_whitespace = true;
  std::string json;
  if (!google::protobuf::util::MessageToJsonString(checkpoint.lineage(), &json, options).ok()) return "";
  return "Lineage:\n\n```json\n" + json + "```\n";
}

}  // namespace

std::string ModelCard(const CardContent& content, v1::ExportLayout layout, const std::string& version) {
  std::string card = fmt::format(
      "---\nlibrary_name: {}\ntags: [clip, zero-shot-image-classification, modelpatch]\n---\n\n"
      "# A patched CLIP\n\nWritten by modelpatch {}. Base model: `{}` (digest `{}`).\n\n",
      layout == v1::EXPORT_LAYOUT_OPEN_CLIP ? "open_clip" : "transformers", version, content.model.name(),
      content.model.digest());
  if (content.checkpoints.empty()) return card + "Nothing was mixed in: these are the weights that were imported.\n";
  if (!content.patch.empty()) card += fmt::format("Patch `{}`: ", content.patch);
  card += "θ = θ_zs + Σ αᵢ·(θᵢ − θ_zs) over\n\n| checkpoint | α | blob |\n| --- | --- | --- |\n";
  for (size_t i = 0; i < content.checkpoints.size(); ++i) {
    card += fmt::format("| `{}` | {} | `{}` |\n", content.checkpoints[i].name(),
                        content.mixture.terms(static_cast<int>(i)).coefficient(), content.checkpoints[i].blob_digest());
  }
  card += AccuracyList("\nAccuracies of this mixture:", content.accuracies);
  for (const v1::Checkpoint& checkpoint : content.checkpoints) {
    card += fmt::format("\n## `{}`\n\n", checkpoint.name()) +
            AccuracyList("Accuracies of the checkpoint itself, at α = 1:", checkpoint.accuracies()) +
            Lineage(checkpoint);
  }
  return card;
}

}  // namespace modelpatch::server
