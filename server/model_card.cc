#include "server/model_card.h"

#include <fmt/format.h>
#include <google/protobuf/util/json_util.h>

namespace modelpatch::server {
namespace {

std::string Accuracies(const v1::Checkpoint& checkpoint) {
  std::string lines;
  for (const v1::TaskAccuracy& accuracy : checkpoint.accuracies()) {
    lines += fmt::format("- {}: {:.2f} % of {} validation images\n", accuracy.task(), 100 * accuracy.accuracy(),
                         accuracy.total());
  }
  return lines.empty() ? "" : "Accuracies of the checkpoint itself, at α = 1:\n\n" + lines + "\n";
}

std::string Lineage(const v1::Checkpoint& checkpoint) {
  google::protobuf::util::JsonPrintOptions options;
  options.add_whitespace = true;
  std::string json;
  if (!google::protobuf::util::MessageToJsonString(checkpoint.lineage(), &json, options).ok()) return "";
  return "Lineage:\n\n```json\n" + json + "```\n";
}

}  // namespace

std::string ModelCard(const v1::Model& model, const v1::Mixture& mixture, std::span<const v1::Checkpoint> checkpoints,
                      v1::ExportLayout layout, const std::string& version) {
  std::string card = fmt::format(
      "---\nlibrary_name: {}\ntags: [clip, zero-shot-image-classification, modelpatch]\n---\n\n"
      "# A patched CLIP\n\nWritten by modelpatch {}. Base model: `{}` (digest `{}`).\n\n",
      layout == v1::EXPORT_LAYOUT_OPEN_CLIP ? "open_clip" : "transformers", version, model.name(), model.digest());
  if (checkpoints.empty()) return card + "Nothing was mixed in: these are the weights that were imported.\n";
  card += "θ = θ_zs + Σ αᵢ·(θᵢ − θ_zs) over\n\n| checkpoint | α | blob |\n| --- | --- | --- |\n";
  for (size_t i = 0; i < checkpoints.size(); ++i) {
    card += fmt::format("| `{}` | {} | `{}` |\n", checkpoints[i].name(),
                        mixture.terms(static_cast<int>(i)).coefficient(), checkpoints[i].blob_digest());
  }
  for (const v1::Checkpoint& checkpoint : checkpoints) {
    card += fmt::format("\n## `{}`\n\n", checkpoint.name()) + Accuracies(checkpoint) + Lineage(checkpoint);
  }
  return card;
}

}  // namespace modelpatch::server
