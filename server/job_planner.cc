#include "server/job_planner.h"

#include <fmt/format.h>

#include <algorithm>
#include <random>
#include <utility>

#include "core/base/digest.h"
#include "core/base/text.h"
#include "core/sched/step_directory.h"
#include "server/job_options.h"
#include "server/record_messages.h"
#include "server/resource_names.h"
#include "server/task_conversion.h"
#include "server/version.h"

namespace modelpatch::server {
namespace {

constexpr char kSpecField[] = "patch_job.spec";

absl::Status InSpec(const absl::Status& status, const std::string& field) {
  return base::WithField(base::WithField(status, field), kSpecField);
}

std::string MakeJobId() {
  std::random_device random;
  return fmt::format("job-{:08x}{:04x}", random(), random() & 0xffff);
}

absl::Status CheckStrategy(const v1::PatchJobSpec& spec) {
  const bool single = spec.strategy() == v1::STRATEGY_UNSPECIFIED || spec.strategy() == v1::STRATEGY_SINGLE;
  if (!single) {
    return InSpec(
        base::InvalidArgument("STRATEGY_NOT_SUPPORTED",
                              fmt::format("the strategy {} is not supported; use SINGLE with one patching task",
                                          v1::Strategy_IsValid(spec.strategy()) ? v1::Strategy_Name(spec.strategy())
                                                                                : std::to_string(spec.strategy()))),
        "strategy");
  }
  if (spec.patching_tasks().empty()) {
    return InSpec(base::InvalidArgument("NO_TASKS", "the job has no patching task; name one (tasks/ID)"),
                  "patching_tasks");
  }
  if (spec.patching_tasks_size() > 1) {
    return InSpec(
        base::InvalidArgument("STRATEGY_NOT_SUPPORTED",
                              fmt::format("the strategy SINGLE takes one patching task, not {}; submit a job for each",
                                          spec.patching_tasks_size())),
        "patching_tasks");
  }
  return absl::OkStatus();
}

}  // namespace

std::string RequestDigestOf(const v1::CreatePatchJobRequest& request) {
  return base::Sha256Hex(request.patch_job_id() + "\n" + request.patch_job().spec().SerializeAsString());
}

JobPlanner::JobPlanner(store::MetadataStore& store, const MixtureResolver& resolver, JobPaths paths,
                       const data::DecodeLimits& decode_limits, std::vector<sched::Device> devices)
    : store_(store),
      resolver_(resolver),
      paths_(std::move(paths)),
      decode_limits_(decode_limits),
      devices_(std::move(devices)) {}

absl::StatusOr<train::NamedTask> JobPlanner::FindTask(const std::string& name, v1::TaskRole role, Tasks& tasks) const {
  MP_ASSIGN_OR_RETURN(const std::string id, ParseResourceName(kTasks, name));
  MP_ASSIGN_OR_RETURN(const store::TaskRecord record, store_.GetTask(id));
  const bool twice = std::any_of(tasks.references.begin(), tasks.references.end(),
                                 [&](const v1::TaskReference& other) { return other.task() == name; });
  if (twice) {
    return base::InvalidArgument("DUPLICATE_TASK",
                                 fmt::format("{} is given twice; a task is either patching or supported", name));
  }
  MP_ASSIGN_OR_RETURN(const v1::Task task, ToMessage(record));
  if (task.class_names_size() < 2) {
    return base::FailedPrecondition("TASK_OF_ONE_CLASS", fmt::format("{} has {} class; accuracies need at least two",
                                                                     name, task.class_names_size()));
  }
  for (const auto& [split, examples, needed] :
       {std::tuple("training", task.train_examples(), role == v1::TASK_ROLE_PATCHING),
        {"validation", task.validation_examples(), true},
        {"test", task.test_examples(), true}}) {
    if (needed && examples == 0) {
      return base::FailedPrecondition("EMPTY_SPLIT",
                                      fmt::format("{} has no {} examples, which a job needs", name, split));
    }
  }
  v1::TaskReference reference;
  reference.set_task(name);
  reference.set_digest(record.digest);
  reference.set_role(role);
  tasks.references.push_back(std::move(reference));
  MP_ASSIGN_OR_RETURN(data::TaskSource source, TaskSourceOf(record, paths_.tasks));
  return train::NamedTask{id, std::move(source)};
}

absl::StatusOr<JobPlanner::Tasks> JobPlanner::FindTasks(const v1::PatchJobSpec& spec) const {
  Tasks tasks;
  for (int i = 0; i < spec.patching_tasks_size(); ++i) {
    auto task = FindTask(spec.patching_tasks(i), v1::TASK_ROLE_PATCHING, tasks);
    if (!task.ok()) return InSpec(task.status(), fmt::format("patching_tasks[{}]", i));
    tasks.patching.push_back(*std::move(task));
  }
  for (int i = 0; i < spec.supported_tasks_size(); ++i) {
    auto task = FindTask(spec.supported_tasks(i), v1::TASK_ROLE_SUPPORTED, tasks);
    if (!task.ok()) return InSpec(task.status(), fmt::format("supported_tasks[{}]", i));
    tasks.supported.push_back(*std::move(task));
  }
  return tasks;
}

int64_t JobPlanner::LeaseBytes(const v1::Model& model, int64_t batch_size) const {
  // θ, θ_zs, the gradient and AdamW's two moments, with room for a copy; and the activations of a step: about twenty
  // fp32 values for each token, layer and channel, layers times channels being parameters / (12 · channels) in a ViT.
  const double weights = 4.0 * (6.0 * static_cast<double>(model.image_encoder_parameters()) +
                                2.0 * static_cast<double>(model.text_encoder_parameters()));
  const double patch = model.patch_size_pixels();
  const double width = model.image_width_pixels() > 0 ? model.image_width_pixels() : model.image_size_pixels();
  const double patches = patch > 0 ? model.image_size_pixels() / patch * (width / patch) : 1;
  const double layer_channels =
      static_cast<double>(model.image_encoder_parameters()) / (12.0 * std::max(1, model.embedding_dimension()));
  const double activations = static_cast<double>(batch_size) * (patches + 1) * layer_channels * 80.0;
  int64_t largest = 0;
  for (const sched::Device& device : devices_) largest = std::max(largest, device.total_bytes);
  // An estimate must not make a job impossible that may well fit.
  return static_cast<int64_t>(std::min(weights + activations, 0.8 * static_cast<double>(largest)));
}

absl::StatusOr<PlannedJob> JobPlanner::Plan(const v1::CreatePatchJobRequest& request, base::WallTime now) const {
  MP_RETURN_IF_ERROR(CheckRequestId(request.request_id()));
  const std::string id = request.patch_job_id().empty() ? MakeJobId() : request.patch_job_id();
  MP_RETURN_IF_ERROR(base::WithField(base::CheckResourceId(id), "patch_job_id"));
  if (const auto checkpoint = store_.GetCheckpoint(id); checkpoint.ok() && !store_.GetJob(id).ok()) {
    return base::WithField(
        base::AlreadyExists(
            "CHECKPOINT_ALREADY_EXISTS",
            fmt::format("there is a checkpoint of that name, checkpoints/{}, which the job's would get", id)),
        "patch_job_id");
  }
  v1::PatchJob stored;
  v1::PatchJobSpec& spec = *stored.mutable_spec();
  spec = request.patch_job().spec();
  MP_RETURN_IF_ERROR(CheckStrategy(spec));
  spec.set_strategy(v1::STRATEGY_SINGLE);
  const auto model = resolver_.FindModel(spec.model());
  if (!model.ok()) return base::WithField(model.status(), kSpecField);
  const auto choice = ResolveAlphas(spec);
  if (!choice.ok()) return base::WithField(choice.status(), kSpecField);
  if (choice->policy != patch::AlphaPolicy::kFixed && spec.supported_tasks().empty()) {
    return InSpec(base::InvalidArgument("SUPPORTED_TASKS_REQUIRED",
                                        "choosing α needs a supported task to protect; name one, or fix α"),
                  "supported_tasks");
  }
  const auto options = ResolveFineTuneOptions(*spec.mutable_fine_tune());
  if (!options.ok()) return InSpec(options.status(), "fine_tune");
  MP_ASSIGN_OR_RETURN(const Tasks tasks, FindTasks(spec));
  MP_ASSIGN_OR_RETURN(const v1::Model model_message, ToMessage(*model));

  v1::Lineage& lineage = *stored.mutable_lineage();
  lineage.set_model(ResourceName(kModels, model->id));
  lineage.set_model_digest(model->digest);
  lineage.set_layout_digest(model_message.layout_digest());
  lineage.mutable_tasks()->Assign(tasks.references.begin(), tasks.references.end());
  lineage.set_patch_job(ResourceName(kPatchJobs, id));
  *lineage.mutable_fine_tune() = spec.fine_tune();
  lineage.set_code_version(Version());

  PlannedJob planned;
  planned.job.id = id;
  planned.job.request_id = request.request_id();
  planned.job.request_digest = RequestDigestOf(request);
  planned.job.spec = stored.SerializeAsString();
  planned.job.uses.push_back({store::ResourceKind::kModel, model->id});
  for (const auto* list : {&tasks.patching, &tasks.supported}) {
    for (const train::NamedTask& task : *list) planned.job.uses.push_back({store::ResourceKind::kTask, task.name});
  }
  planned.job.create_time = now;

  const std::string model_directory = resolver_.ModelDirectory(*model);
  train::StepSpec fine_tune;
  fine_tune.blob_directory = paths_.blobs;
  fine_tune.decode_limits = decode_limits_;
  fine_tune.lease_bytes = LeaseBytes(model_message, options->batch_size);
  fine_tune.work = train::FineTuneSpec{model_directory, tasks.patching.front(), *options};
  train::StepSpec search = fine_tune;
  search.work = train::SearchSpec{
      model_directory,     sched::StepDirectory(sched::JobDirectory(paths_.jobs, id), 0, kFineTuneStep),
      tasks.patching,      tasks.supported,
      choice->alphas,      choice->policy,
      choice->fixed_alpha, choice->epsilon_points,
      options->precision};
  store::StepRecord first;
  first.job_id = id;
  first.index = 0;
  first.name = kFineTuneStep;
  first.spec = train::StepSpecToJson(fine_tune);
  first.state = store::StepState::kQueued;
  first.lease_bytes = fine_tune.lease_bytes;
  store::StepRecord second = first;
  second.index = 1;
  second.name = kSearchStep;
  second.spec = train::StepSpecToJson(search);
  second.depends_on = {0};
  second.state = store::StepState::kWaiting;
  planned.steps = {std::move(first), std::move(second)};
  return planned;
}

}  // namespace modelpatch::server
