#include "core/train/training_tasks.h"

#include <fmt/format.h>
#include <torch/torch.h>

#include <utility>

#include "core/data/joint_dataset.h"
#include "core/model/class_prompts.h"
#include "core/tensor/guard.h"

namespace modelpatch::train {
namespace {

std::shared_ptr<const data::Dataset> Join(const std::vector<data::Task>& tasks, TaskBalance balance) {
  std::vector<data::JointPart> parts;
  for (const data::Task& task : tasks) parts.push_back({task.train, static_cast<int32_t>(task.class_names.size())});
  return std::make_shared<const data::JointDataset>(
      std::move(parts), balance == TaskBalance::kEven ? data::JointBalance::kEven : data::JointBalance::kBySize);
}

model::ZeroShotHead JoinHeads(const std::vector<patch::EvaluationSet>& sets) {
  model::ZeroShotHead joined;
  std::vector<at::Tensor> embeddings;
  for (const patch::EvaluationSet& set : sets) {
    embeddings.push_back(*set.head->embeddings);
    joined.class_names.insert(joined.class_names.end(), set.head->class_names.begin(), set.head->class_names.end());
    joined.truncated_prompts += set.head->truncated_prompts;
  }
  joined.embeddings = std::make_shared<const at::Tensor>(at::cat(embeddings));
  return joined;
}

}  // namespace

bool HasTrainingExamples(const data::Task& task) { return task.train != nullptr && task.train->size() > 0; }

absl::StatusOr<TrainingTasks> OpenTrainingTasks(const model::ClipModel& model, const std::vector<NamedTask>& tasks,
                                                TaskBalance balance, int threads, const data::DecodeLimits& limits,
                                                const base::CancellationToken& cancellation) {
  TrainingTasks opened;
  for (const NamedTask& named : tasks) {
    MP_ASSIGN_OR_RETURN(data::Task task, data::OpenTask(named.name, named.source, limits));
    if (!HasTrainingExamples(task)) {
      return base::FailedPrecondition(
          "EMPTY_SPLIT",
          fmt::format("the task {} has no training examples; give it some, or name another task", task.name));
    }
    MP_ASSIGN_OR_RETURN(patch::EvaluationSet validation,
                        patch::MakeEvaluationSet(model, task, patch::TaskRole::kPatching, data::Split::kValidation,
                                                 threads, /*maximum_examples=*/0, cancellation));
    opened.tasks.push_back(std::move(task));
    opened.validation.push_back(std::move(validation));
  }
  if (opened.tasks.empty()) return base::InvalidArgument("NO_TASKS", "there is no task to fine-tune on; name one");
  if (opened.tasks.size() == 1) {
    opened.train = opened.tasks.front().train;
    opened.head = *opened.validation.front().head;
    return opened;
  }
  opened.train = Join(opened.tasks, balance);
  MP_ASSIGN_OR_RETURN(opened.head, tensor::Guarded([&] { return JoinHeads(opened.validation); }));
  return opened;
}

absl::StatusOr<std::vector<model::ClassPrompts>> PromptsOf(const std::vector<data::Task>& tasks) {
  std::vector<model::ClassPrompts> prompts;
  for (const data::Task& task : tasks) {
    MP_ASSIGN_OR_RETURN(std::vector<model::ClassPrompts> classes,
                        model::ExpandClassPrompts(task.class_names, task.templates, {.unique_names = false}));
    for (model::ClassPrompts& entry : classes) prompts.push_back(std::move(entry));
  }
  return prompts;
}

}  // namespace modelpatch::train
