#include "server/job_checks.h"

#include <fmt/format.h>

#include <set>
#include <string>

namespace modelpatch::server {
namespace {

absl::Status Bad(std::string_view reason, const std::string& message, const std::string& field) {
  return base::WithField(base::InvalidArgument(reason, message), field);
}

std::string StrategyName(v1::Strategy strategy) {
  const std::string name = v1::Strategy_Name(strategy);
  const std::string prefix = "STRATEGY_";
  return name.rfind(prefix, 0) == 0 ? name.substr(prefix.size()) : name;
}

absl::Status CheckTaskCount(const v1::PatchJobSpec& spec) {
  if (spec.patching_tasks().empty()) {
    return Bad("NO_TASKS", "the job has no patching task; name one (tasks/ID)", "patching_tasks");
  }
  const bool single = spec.strategy() == v1::STRATEGY_SINGLE;
  if (single && spec.patching_tasks_size() > 1) {
    return Bad("TOO_MANY_TASKS",
               fmt::format("the strategy SINGLE takes one patching task, not {}; use JOINT, SEQUENTIAL or PARALLEL",
                           spec.patching_tasks_size()),
               "patching_tasks");
  }
  if (!single && spec.patching_tasks_size() == 1 && spec.checkpoints().empty()) {
    return Bad("TOO_FEW_TASKS",
               fmt::format("the strategy {} is for several patching tasks, and one is given; use SINGLE",
                           StrategyName(spec.strategy())),
               "patching_tasks");
  }
  return absl::OkStatus();
}

// What belongs to one strategy alone.
absl::Status CheckBelongings(const v1::PatchJobSpec& spec) {
  struct Belonging {
    const char* field;
    bool given;
    v1::Strategy strategy;
  };
  for (const Belonging& one :
       {Belonging{"task_balance", spec.task_balance() != v1::TASK_BALANCE_UNSPECIFIED, v1::STRATEGY_JOINT},
        Belonging{"order_seed", spec.has_order_seed(), v1::STRATEGY_SEQUENTIAL},
        Belonging{"coefficient_search", spec.has_coefficient_search(), v1::STRATEGY_PARALLEL},
        Belonging{"merge", spec.has_merge(), v1::STRATEGY_PARALLEL},
        Belonging{"checkpoints", !spec.checkpoints().empty(), v1::STRATEGY_PARALLEL}}) {
    if (!one.given || spec.strategy() == one.strategy) continue;
    return Bad("UNEXPECTED_FIELD",
               fmt::format("{} belongs to the strategy {}, and this job's is {}", one.field, StrategyName(one.strategy),
                           StrategyName(spec.strategy())),
               one.field);
  }
  if (spec.has_merge() && spec.has_coefficient_search()) {
    return Bad("UNEXPECTED_FIELD",
               "a merged task vector has one α, so there are no coefficients to search; leave one out",
               "coefficient_search");
  }
  return absl::OkStatus();
}

absl::Status CheckCheckpoints(const v1::PatchJobSpec& spec) {
  if (spec.checkpoints_size() == 1) {
    return Bad("TOO_FEW_CHECKPOINTS", "one checkpoint is given to mix; give two or more, or use Sweep", "checkpoints");
  }
  std::set<std::string> seen;
  for (int i = 0; i < spec.checkpoints_size(); ++i) {
    if (seen.insert(spec.checkpoints(i)).second) continue;
    return Bad("DUPLICATE_CHECKPOINT", fmt::format("{} is given twice", spec.checkpoints(i)),
               fmt::format("checkpoints[{}]", i));
  }
  v1::FineTuneOptions training = spec.fine_tune();
  training.clear_precision();  // the search's too
  if (!spec.checkpoints().empty() && training.ByteSizeLong() > 0) {
    return Bad("UNEXPECTED_FIELD", "a job that mixes checkpoints trains nothing; leave the options of fine-tuning out",
               "fine_tune");
  }
  if (!spec.checkpoints().empty() && spec.merge().has_fisher()) {
    return Bad("UNEXPECTED_FIELD",
               "Fisher-weighted averaging needs the Fisher information that a job estimates when it trains; leave the "
               "checkpoints out, or use another method",
               "merge.fisher");
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status CheckStrategy(v1::PatchJobSpec& spec) {
  if (!v1::Strategy_IsValid(spec.strategy())) {
    return Bad(
        "BAD_STRATEGY",
        fmt::format("{} is no strategy; use SINGLE, JOINT, SEQUENTIAL or PARALLEL", static_cast<int>(spec.strategy())),
        "strategy");
  }
  if (spec.strategy() == v1::STRATEGY_UNSPECIFIED) spec.set_strategy(v1::STRATEGY_SINGLE);
  if (!v1::TaskBalance_IsValid(spec.task_balance())) {
    return Bad("BAD_TASK_BALANCE",
               fmt::format("{} is no balance; use BY_SIZE or EVEN", static_cast<int>(spec.task_balance())),
               "task_balance");
  }
  MP_RETURN_IF_ERROR(CheckTaskCount(spec));
  MP_RETURN_IF_ERROR(CheckBelongings(spec));
  MP_RETURN_IF_ERROR(CheckCheckpoints(spec));
  if (spec.order_seed() < 0) {
    return Bad("BAD_ORDER_SEED", fmt::format("order_seed is {}; it must not be negative", spec.order_seed()),
               "order_seed");
  }
  if (spec.strategy() == v1::STRATEGY_JOINT && spec.task_balance() == v1::TASK_BALANCE_UNSPECIFIED) {
    spec.set_task_balance(v1::TASK_BALANCE_BY_SIZE);
  }
  return absl::OkStatus();
}

}  // namespace modelpatch::server
