// TrainingTasks: what a fine-tuning learns from, one task or several as one.
//
// Plain values and pure functions that read files.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "core/base/cancellation.h"
#include "core/data/task.h"
#include "core/model/clip_model.h"
#include "core/patch/evaluation.h"
#include "core/train/step_spec.h"

namespace modelpatch::train {

struct TrainingTasks {
  std::vector<data::Task> tasks;
  // The training examples of all tasks, with labels among the rows of `head`.
  std::shared_ptr<const data::Dataset> train;
  // The heads of the tasks one after the other.
  model::ZeroShotHead head;
  // Of each task, under its own head.
  std::vector<patch::EvaluationSet> validation;
};

// Opens the tasks of a fine-tuning. One task is taken as it is. Errors: those of OpenTask and MakeEvaluationSet;
// FAILED_PRECONDITION (EMPTY_SPLIT) for a task without training examples.
absl::StatusOr<TrainingTasks> OpenTrainingTasks(const model::ClipModel& model, const std::vector<NamedTask>& tasks,
                                                TaskBalance balance, int threads, const data::DecodeLimits& limits,
                                                const base::CancellationToken& cancellation);

bool HasTrainingExamples(const data::Task& task);

// The prompts of all classes of the tasks, one task after the other. Errors: those of ExpandClassPrompts.
absl::StatusOr<std::vector<model::ClassPrompts>> PromptsOf(const std::vector<data::Task>& tasks);

}  // namespace modelpatch::train
