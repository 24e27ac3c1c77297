#include "client/cli/checkpoint_text.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "client/cli/arguments.h"
#include "client/cli/curve_text.h"
#include "client/cli/merge_options.h"
#include "client/cli/table.h"
#include "client/cli/text_format.h"

namespace modelpatch::client {

std::string CheckpointText(const v1::Checkpoint& checkpoint) {
  const v1::Lineage& lineage = checkpoint.lineage();
  Properties lines;
  lines.Add("name", checkpoint.name());
  lines.Add("created", Time(checkpoint.create_time()));
  lines.Add("kind", KindName(checkpoint.kind()));
  lines.Add("model", checkpoint.model());
  lines.Add("model digest", lineage.model_digest());
  lines.Add("blob digest", checkpoint.blob_digest());
  lines.Add("layout digest", lineage.layout_digest());
  lines.Add("size", Bytes(checkpoint.size_bytes()));
  lines.Add("patch job", lineage.patch_job());
  lines.Add("from", lineage.source_path());
  for (const v1::MixtureTerm& parent : lineage.parents()) {
    lines.Add("parent", absl::StrCat(Number(parent.coefficient()), "·", parent.checkpoint()));
  }
  if (lineage.has_merge()) lines.Add("merged by", MergeText(lineage.merge()));
  for (const v1::TaskReference& task : lineage.tasks()) {
    lines.Add("task", absl::StrCat(task.task(), " (", RoleName(task.role()), ", ", ShortDigest(task.digest()), ")"));
  }
  if (lineage.has_fine_tune()) {
    const v1::FineTuneOptions& options = lineage.fine_tune();
    lines.Add("fine-tuning", absl::StrCat(options.steps(), " steps, batch ", options.batch_size(), ", learning rate ",
                                          Number(options.learning_rate()), ", seed ", options.seed()));
  }
  lines.Add("code version", lineage.code_version());
  std::string text = lines.Render();
  if (!checkpoint.accuracies().empty()) absl::StrAppend(&text, "\n", AccuracyTable(ToVector(checkpoint.accuracies())));
  return text;
}

std::string CheckpointsText(const v1::ListCheckpointsResponse& response) {
  Table table({{"NAME"}, {"KIND"}, {"MODEL"}, {"JOB"}, {"SIZE", Align::kRight}, {"CREATED"}, {"BLOB"}});
  for (const v1::Checkpoint& checkpoint : response.checkpoints()) {
    table.AddRow({ShortName(checkpoint.name()), KindName(checkpoint.kind()), ShortName(checkpoint.model()),
                  ShortName(checkpoint.lineage().patch_job()), Bytes(checkpoint.size_bytes()),
                  Time(checkpoint.create_time()), ShortDigest(checkpoint.blob_digest())});
  }
  return table.Render();
}

std::string ComparisonText(const v1::CompareCheckpointsResponse& response) {
  Properties lines;
  lines.Add("weight cosine", absl::StrFormat("%.8f", response.weight_cosine()));
  lines.Add("mean |Δweight|", Number(response.weight_mean_absolute_difference()));
  lines.Add("distance", Number(response.weight_distance()));
  if (response.has_task_vector_cosine()) {
    lines.Add("task vector cosine", absl::StrFormat("%.6f", response.task_vector_cosine()));
  }
  for (const v1::TaskCka& cka : response.cka()) {
    lines.Add(absl::StrCat("CKA on ", ShortName(cka.task())), absl::StrFormat("%.6f", cka.cka()));
  }
  return lines.Render();
}

}  // namespace modelpatch::client
