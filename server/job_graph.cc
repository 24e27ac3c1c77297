#include "server/job_graph.h"

#include <fmt/format.h>

#include <numeric>
#include <utility>

#include "core/sched/step_directory.h"

namespace modelpatch::server {
namespace {

constexpr std::string_view kFineTune = "fine-tune";
constexpr std::string_view kSearch = "search";
constexpr std::string_view kSpecialised = "specialised";
constexpr std::string_view kUninterpolated = "uninterpolated";

// Adds the steps of one job, one after the other.
class GraphBuilder {
 public:
  explicit GraphBuilder(const JobGraphInput& input) : input_(input) {}

  // `start`: the step whose weights are the start, or -1 for θ_zs. Returns the step's index.
  int AddFineTune(const std::string& name, std::vector<train::NamedTask> tasks, int start) {
    train::FineTuneSpec spec = input_.fine_tune;
    spec.tasks = std::move(tasks);
    if (start >= 0) spec.start_directory = DirectoryOf(start);
    return Add(name, std::move(spec), input_.fine_tune_lease_bytes,
               start >= 0 ? std::vector<int>{start} : std::vector<int>{});
  }

  // The same, to be compared with alone: its way there is of no interest.
  int AddComparedFineTune(const std::string& name, std::vector<train::NamedTask> tasks, int start) {
    const int index = AddFineTune(name, std::move(tasks), start);
    auto& spec = std::get<train::FineTuneSpec>(specs_.back().work);
    spec.options.snapshot_interval_steps = 0;
    spec.options.ema_decay = 0;
    spec.options.learned_head = false;
    spec.fisher_examples = 0;
    return index;
  }

  // Waits for all of `depends_on`.
  int AddSearch(const std::string& name, train::SearchSpec spec, std::vector<int> depends_on) {
    return Add(name, std::move(spec), input_.search_lease_bytes, std::move(depends_on));
  }

  std::string DirectoryOf(int index) const {
    return sched::StepDirectory(input_.job_directory, index, steps_[static_cast<size_t>(index)].name);
  }

  std::vector<std::string> DirectoriesOf(const std::vector<int>& indices) const {
    std::vector<std::string> directories;
    for (const int index : indices) directories.push_back(DirectoryOf(index));
    return directories;
  }

  // All steps so far.
  std::vector<int> All() const {
    std::vector<int> indices(steps_.size());
    std::iota(indices.begin(), indices.end(), 0);
    return indices;
  }

  std::vector<store::StepRecord> Build() && {
    for (size_t i = 0; i < steps_.size(); ++i) steps_[i].spec = train::StepSpecToJson(specs_[i]);
    return std::move(steps_);
  }

 private:
  template <typename Work>
  int Add(const std::string& name, Work work, int64_t lease_bytes, std::vector<int> depends_on) {
    train::StepSpec& spec = specs_.emplace_back();
    spec.blob_directory = input_.blob_directory;
    spec.decode_limits = input_.decode_limits;
    spec.lease_bytes = lease_bytes;
    spec.work = std::move(work);
    store::StepRecord& step = steps_.emplace_back();
    step.job_id = input_.job_id;
    step.index = static_cast<int>(steps_.size()) - 1;
    step.name = name;
    step.lease_bytes = lease_bytes;
    step.state = depends_on.empty() ? store::StepState::kQueued : store::StepState::kWaiting;
    step.depends_on = std::move(depends_on);
    return step.index;
  }

  const JobGraphInput& input_;
  std::vector<store::StepRecord> steps_;
  std::vector<train::StepSpec> specs_;
};

std::string Numbered(std::string_view name, size_t number) { return fmt::format("{}-{}", name, number); }

// Each patching task's own fine-tuning from θ_zs, those from `first` on.
std::vector<int> AddSpecialised(GraphBuilder& graph, const JobGraphInput& input, size_t first) {
  std::vector<int> steps;
  for (size_t i = first; i < input.patching_tasks.size(); ++i) {
    steps.push_back(graph.AddComparedFineTune(Numbered(kSpecialised, i + 1), {input.patching_tasks[i]}, /*start=*/-1));
  }
  return steps;
}

// SINGLE and JOINT.
void AddOneFineTuning(GraphBuilder& graph, const JobGraphInput& input) {
  const int fine_tune = graph.AddFineTune(std::string(kFineTune), input.patching_tasks, /*start=*/-1);
  train::SearchSpec search = input.search;
  search.fine_tune_directories = {graph.DirectoryOf(fine_tune)};
  search.patching_tasks = input.patching_tasks;
  search.comparison.emplace();
  if (input.with_comparisons && input.strategy == v1::STRATEGY_JOINT) {
    search.comparison->specialised_directories = graph.DirectoriesOf(AddSpecialised(graph, input, 0));
  }
  graph.AddSearch(std::string(kSearch), std::move(search), graph.All());
}

void AddParallel(GraphBuilder& graph, const JobGraphInput& input) {
  train::SearchSpec search = input.search;
  search.patching_tasks = input.patching_tasks;
  search.comparison.emplace();
  if (search.blobs.empty()) {
    std::vector<int> fine_tunings;
    for (size_t i = 0; i < input.patching_tasks.size(); ++i) {
      fine_tunings.push_back(graph.AddFineTune(Numbered(kFineTune, i + 1), {input.patching_tasks[i]}, /*start=*/-1));
    }
    search.fine_tune_directories = graph.DirectoriesOf(fine_tunings);
    search.comparison->specialised_directories = search.fine_tune_directories;
  }
  graph.AddSearch(std::string(kSearch), std::move(search), graph.All());
}

void AddSequential(GraphBuilder& graph, const JobGraphInput& input) {
  const size_t count = input.patching_tasks.size();
  std::vector<int> fine_tunings;
  std::vector<int> searches;
  std::vector<int> uninterpolated;
  std::vector<int> specialised;
  for (size_t i = 0; i < count; ++i) {
    const int patched = searches.empty() ? -1 : searches.back();
    fine_tunings.push_back(graph.AddFineTune(Numbered(kFineTune, i + 1), {input.patching_tasks[i]}, patched));
    const bool is_last = i + 1 == count;
    if (input.with_comparisons && i == 0) {
      uninterpolated = {fine_tunings[0]};
      specialised = {fine_tunings[0]};
    } else if (input.with_comparisons) {
      uninterpolated.push_back(graph.AddComparedFineTune(Numbered(kUninterpolated, i + 1), {input.patching_tasks[i]},
                                                         uninterpolated.back()));
    }
    if (is_last && input.with_comparisons) {
      const std::vector<int> others = AddSpecialised(graph, input, 1);
      specialised.insert(specialised.end(), others.begin(), others.end());
    }
    train::SearchSpec search = input.search;
    search.fine_tune_directories = {graph.DirectoryOf(fine_tunings.back())};
    if (patched >= 0) search.start_directory = graph.DirectoryOf(patched);
    search.patching_tasks.assign(input.patching_tasks.begin(),
                                 input.patching_tasks.begin() + static_cast<std::ptrdiff_t>(i) + 1);
    if (is_last) {
      search.comparison.emplace();
      search.comparison->specialised_directories = graph.DirectoriesOf(specialised);
      search.comparison->patched_so_far_directories = graph.DirectoriesOf(searches);
      search.comparison->fine_tuned_so_far_directories = graph.DirectoriesOf(uninterpolated);
    }
    searches.push_back(graph.AddSearch(Numbered(kSearch, i + 1), std::move(search),
                                       is_last ? graph.All() : std::vector<int>{fine_tunings.back()}));
  }
}

bool IsNamed(std::string_view step_name, std::string_view name) {
  return step_name == name || (step_name.substr(0, name.size()) == name && step_name.substr(name.size(), 1) == "-");
}

}  // namespace

std::vector<store::StepRecord> PlanSteps(const JobGraphInput& input) {
  GraphBuilder graph(input);
  switch (input.strategy) {
    case v1::STRATEGY_PARALLEL:
      AddParallel(graph, input);
      break;
    case v1::STRATEGY_SEQUENTIAL:
      AddSequential(graph, input);
      break;
    default:
      AddOneFineTuning(graph, input);
  }
  return std::move(graph).Build();
}

bool IsFineTuneStep(std::string_view step_name) { return IsNamed(step_name, kFineTune); }

bool IsSearchStep(std::string_view step_name) { return IsNamed(step_name, kSearch); }

}  // namespace modelpatch::server
