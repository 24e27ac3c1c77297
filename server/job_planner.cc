#include "server/job_planner.h"

#include <fmt/format.h>

#include <algorithm>
#include <random>
#include <set>
#include <tuple>
#include <utility>

#include "core/base/digest.h"
#include "core/base/random.h"
#include "core/base/text.h"
#include "core/sched/step_directory.h"
#include "server/job_checkpoints.h"
#include "server/job_checks.h"
#include "server/job_leases.h"
#include "server/job_options.h"
#include "server/merge_conversion.h"
#include "server/record_messages.h"
#include "server/resource_names.h"
#include "server/search_conversion.h"
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

v1::TaskReference ReferenceTo(const std::string& name, v1::TaskRole role) {
  v1::TaskReference reference;
  reference.set_task(name);
  reference.set_role(role);
  return reference;
}

bool IsIdWithSuffix(const std::string& id, const std::string& job_id) { return id.starts_with(job_id + "-"); }

// The patching tasks in the order that the seed gives.
std::vector<train::NamedTask> Shuffled(const std::vector<train::NamedTask>& tasks, uint64_t seed) {
  std::vector<train::NamedTask> shuffled;
  for (const int64_t index : base::RandomStream(seed, "task order").Permutation(static_cast<int64_t>(tasks.size()))) {
    shuffled.push_back(tasks[static_cast<size_t>(index)]);
  }
  return shuffled;
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

absl::StatusOr<train::NamedTask> JobPlanner::FindTask(const std::string& name, bool trains, bool evaluates,
                                                      v1::TaskReference& reference) const {
  MP_ASSIGN_OR_RETURN(const std::string id, ParseResourceName(kTasks, name));
  MP_ASSIGN_OR_RETURN(const store::TaskRecord record, store_.GetTask(id));
  MP_ASSIGN_OR_RETURN(const v1::Task task, ToMessage(record));
  if (task.class_names_size() < 2) {
    return base::FailedPrecondition("TASK_OF_ONE_CLASS", fmt::format("{} has {} class; accuracies need at least two",
                                                                     name, task.class_names_size()));
  }
  for (const auto& [split, examples, needed] : {std::tuple("training", task.train_examples(), trains),
                                                {"validation", task.validation_examples(), evaluates},
                                                {"test", task.test_examples(), evaluates}}) {
    if (needed && examples == 0) {
      return base::FailedPrecondition("EMPTY_SPLIT",
                                      fmt::format("{} has no {} examples, which a job needs", name, split));
    }
  }
  reference.set_digest(record.digest);
  MP_ASSIGN_OR_RETURN(data::TaskSource source, TaskSourceOf(record, paths_.tasks));
  return train::NamedTask{id, std::move(source)};
}

absl::StatusOr<JobPlanner::Tasks> JobPlanner::FindTasks(const v1::PatchJobSpec& spec) const {
  Tasks tasks;
  std::set<std::string> seen;
  const auto find_all = [&](const auto& names, const char* field, v1::TaskRole role,
                            std::vector<train::NamedTask>& found) -> absl::Status {
    for (int i = 0; i < names.size(); ++i) {
      const std::string path = fmt::format("{}[{}]", field, i);
      v1::TaskReference reference = ReferenceTo(names[i], role);
      const bool trains = role == v1::TASK_ROLE_PATCHING && spec.checkpoints().empty();
      auto task = FindTask(names[i], trains, /*evaluates=*/true, reference);
      if (!task.ok()) return InSpec(task.status(), path);
      if (!seen.insert(task->name).second) {
        return InSpec(
            base::InvalidArgument("DUPLICATE_TASK",
                                  fmt::format("{} is given twice; a task is either patching or supported", names[i])),
            path);
      }
      tasks.references.push_back(std::move(reference));
      found.push_back(*std::move(task));
    }
    return absl::OkStatus();
  };
  MP_RETURN_IF_ERROR(find_all(spec.patching_tasks(), "patching_tasks", v1::TASK_ROLE_PATCHING, tasks.patching));
  MP_RETURN_IF_ERROR(find_all(spec.supported_tasks(), "supported_tasks", v1::TASK_ROLE_SUPPORTED, tasks.supported));

  // Those of regularisers may be among the tasks of the job, or not.
  const auto find_one = [&](const std::string& name, const char* field,
                            std::optional<train::NamedTask>& found) -> absl::Status {
    v1::TaskReference reference = ReferenceTo(name, v1::TASK_ROLE_UNSPECIFIED);
    auto task = FindTask(name, /*trains=*/true, /*evaluates=*/false, reference);
    if (!task.ok()) return InSpec(task.status(), field);
    found = *std::move(task);
    if (seen.insert(found->name).second) tasks.references.push_back(std::move(reference));
    return absl::OkStatus();
  };
  const v1::FineTuneOptions& options = spec.fine_tune();
  if (options.has_elastic_weight_consolidation()) {
    MP_RETURN_IF_ERROR(find_one(options.elastic_weight_consolidation().task(),
                                "fine_tune.elastic_weight_consolidation.task", tasks.elastic));
  }
  if (!options.contrastive_mixing().task().empty()) {
    MP_RETURN_IF_ERROR(
        find_one(options.contrastive_mixing().task(), "fine_tune.contrastive_mixing.task", tasks.contrastive));
  }
  return tasks;
}

absl::StatusOr<std::vector<std::string>> JobPlanner::FindBlobs(const v1::PatchJobSpec& spec,
                                                               const std::string& model_id,
                                                               std::vector<store::ResourceUse>& uses) const {
  std::vector<std::string> blobs;
  for (int i = 0; i < spec.checkpoints_size(); ++i) {
    const std::string field = fmt::format("checkpoints[{}]", i);
    const auto record = resolver_.FindCheckpoint(spec.checkpoints(i));
    if (!record.ok()) return InSpec(record.status(), field);
    if (record->model_id != model_id) {
      return InSpec(base::FailedPrecondition("CHECKPOINT_OF_ANOTHER_MODEL",
                                             fmt::format("{} is of models/{} and not of {}", spec.checkpoints(i),
                                                         record->model_id, spec.model())),
                    field);
    }
    if (std::find(blobs.begin(), blobs.end(), record->blob_digest) != blobs.end()) {
      return InSpec(base::InvalidArgument("DUPLICATE_CHECKPOINT",
                                          fmt::format("{} has the weights of another one of the list; mixing weights "
                                                      "with themselves changes nothing",
                                                      spec.checkpoints(i))),
                    field);
    }
    blobs.push_back(record->blob_digest);
    uses.push_back({store::ResourceKind::kCheckpoint, record->id});
  }
  return blobs;
}

absl::Status JobPlanner::ResolveChoices(v1::PatchJobSpec& spec, JobGraphInput& graph) const {
  const auto choice = ResolveAlphas(spec);
  if (!choice.ok()) return base::WithField(choice.status(), kSpecField);
  if (choice->policy != patch::AlphaPolicy::kFixed && spec.supported_tasks().empty()) {
    return InSpec(base::InvalidArgument("SUPPORTED_TASKS_REQUIRED",
                                        "choosing α needs a supported task to protect; name one, or fix α"),
                  "supported_tasks");
  }
  graph.search.alphas = choice->alphas;
  graph.search.policy = choice->policy;
  graph.search.fixed_alpha = choice->fixed_alpha;
  graph.search.epsilon_points = choice->epsilon_points;

  if (spec.strategy() == v1::STRATEGY_PARALLEL) {
    const auto checkpoints =
        static_cast<size_t>(spec.checkpoints().empty() ? spec.patching_tasks_size() : spec.checkpoints_size());
    if (spec.has_merge()) {
      const auto merge = MergeOptionsOf(spec.merge(), checkpoints);
      if (!merge.ok()) return InSpec(merge.status(), "merge");
      *spec.mutable_merge() = MergeMessage(*merge);
      graph.search.merge = *merge;
    } else {
      const auto search = ResolveCoefficientSearch(*spec.mutable_coefficient_search(), checkpoints);
      if (!search.ok()) return InSpec(search.status(), "coefficient_search");
      graph.search.coefficient_search = *search;
      if (choice->policy == patch::AlphaPolicy::kFixed && search->method != patch::SearchMethod::kUniform) {
        return InSpec(base::InvalidArgument("BAD_SEARCH_OPTION",
                                            "a fixed α leaves nothing to search; use another policy, or uniform"),
                      "coefficient_search");
      }
    }
  }
  const auto options = ResolveFineTuneOptions(*spec.mutable_fine_tune());
  if (!options.ok()) return InSpec(options.status(), "fine_tune");
  graph.fine_tune.options = *options;
  graph.search.precision = options->precision;
  if (spec.task_balance() == v1::TASK_BALANCE_EVEN) graph.fine_tune.balance = train::TaskBalance::kEven;
  if (graph.search.merge.has_value() && graph.search.merge->method == patch::MergeMethod::kFisher) {
    graph.fine_tune.fisher_examples = graph.search.merge->fisher_examples;
  }
  return absl::OkStatus();
}

absl::Status JobPlanner::CheckCheckpointIds(const std::string& job_id,
                                            const std::vector<store::StepRecord>& steps) const {
  MP_ASSIGN_OR_RETURN(const std::vector<std::string> ids, PlannedCheckpointIds(steps));
  for (const std::string& id : ids) {
    if (!base::CheckResourceId(id).ok()) {
      return base::WithField(
          base::InvalidArgument(
              "BAD_RESOURCE_ID",
              fmt::format("the job's checkpoint would be called '{}', which is longer than a name may "
                          "be; give the job a shorter one",
                          id)),
          "patch_job_id");
    }
    if (store_.GetCheckpoint(id).ok() && !store_.GetJob(job_id).ok()) {
      return base::WithField(
          base::AlreadyExists(
              "CHECKPOINT_ALREADY_EXISTS",
              fmt::format("there is a checkpoint of that name, checkpoints/{}, which one of the job's would get", id)),
          "patch_job_id");
    }
  }
  return base::WithField(CheckIdsNotPlanned(job_id, ids), "patch_job_id");
}

absl::Status JobPlanner::CheckIdsNotPlanned(const std::string& job_id, const std::vector<std::string>& ids) const {
  MP_ASSIGN_OR_RETURN(const std::vector<store::JobRecord> unfinished, store_.ListUnfinishedJobs());
  for (const store::JobRecord& job : unfinished) {
    if (!IsIdWithSuffix(job.id, job_id) && !IsIdWithSuffix(job_id, job.id)) continue;
    MP_ASSIGN_OR_RETURN(const std::vector<store::StepRecord> steps, store_.ListSteps(job.id));
    // A job whose steps cannot be read makes nothing.
    const auto planned = PlannedCheckpointIds(steps);
    for (const std::string& id : planned.ok() ? *planned : std::vector<std::string>()) {
      if (std::find(ids.begin(), ids.end(), id) == ids.end()) continue;
      return base::AlreadyExists(
          "NAME_HELD_BY_PATCH_JOB",
          fmt::format("the name '{}', which a checkpoint of the job would get, is kept for one of the unfinished patch "
                      "job '{}'; give the job another name",
                      id, job.id));
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<PlannedJob> JobPlanner::Plan(const v1::CreatePatchJobRequest& request, base::WallTime now) const {
  MP_RETURN_IF_ERROR(CheckRequestId(request.request_id()));
  const std::string id = request.patch_job_id().empty() ? MakeJobId() : request.patch_job_id();
  MP_RETURN_IF_ERROR(base::WithField(base::CheckResourceId(id), "patch_job_id"));
  v1::PatchJob stored;
  v1::PatchJobSpec& spec = *stored.mutable_spec();
  spec = request.patch_job().spec();
  MP_RETURN_IF_ERROR(base::WithField(CheckStrategy(spec), kSpecField));
  const auto model = resolver_.FindModel(spec.model());
  if (!model.ok()) return base::WithField(model.status(), kSpecField);
  JobGraphInput graph;
  MP_RETURN_IF_ERROR(ResolveChoices(spec, graph));
  MP_ASSIGN_OR_RETURN(const Tasks tasks, FindTasks(spec));
  MP_ASSIGN_OR_RETURN(const v1::Model model_message, ToMessage(*model));

  PlannedJob planned;
  MP_ASSIGN_OR_RETURN(graph.search.blobs, FindBlobs(spec, model->id, planned.job.uses));
  graph.job_id = id;
  graph.job_directory = sched::JobDirectory(paths_.jobs, id);
  graph.model_directory = resolver_.ModelDirectory(*model);
  graph.blob_directory = paths_.blobs;
  graph.decode_limits = decode_limits_;
  graph.strategy = spec.strategy();
  graph.patching_tasks =
      spec.has_order_seed() ? Shuffled(tasks.patching, static_cast<uint64_t>(spec.order_seed())) : tasks.patching;
  graph.fine_tune.model_directory = graph.model_directory;
  graph.fine_tune.elastic_task = tasks.elastic;
  graph.fine_tune.contrastive_task = tasks.contrastive;
  graph.search.model_directory = graph.model_directory;
  graph.search.supported_tasks = tasks.supported;
  graph.with_comparisons = !spec.skip_comparisons();
  SetLeases(model_message, LargestDevice(devices_), graph);
  planned.steps = PlanSteps(graph);
  MP_RETURN_IF_ERROR(CheckCheckpointIds(id, planned.steps));

  v1::Lineage& lineage = *stored.mutable_lineage();
  lineage.set_model(ResourceName(kModels, model->id));
  lineage.set_model_digest(model->digest);
  lineage.set_layout_digest(model_message.layout_digest());
  lineage.mutable_tasks()->Assign(tasks.references.begin(), tasks.references.end());
  lineage.set_patch_job(ResourceName(kPatchJobs, id));
  *lineage.mutable_fine_tune() = spec.fine_tune();
  lineage.set_code_version(Version());

  planned.job.id = id;
  planned.job.request_id = request.request_id();
  planned.job.request_digest = RequestDigestOf(request);
  planned.job.spec = stored.SerializeAsString();
  planned.job.uses.push_back({store::ResourceKind::kModel, model->id});
  for (const v1::TaskReference& reference : tasks.references) {
    MP_ASSIGN_OR_RETURN(const std::string task, ParseResourceName(kTasks, reference.task()));
    planned.job.uses.push_back({store::ResourceKind::kTask, task});
  }
  planned.job.create_time = now;
  return planned;
}

}  // namespace modelpatch::server
