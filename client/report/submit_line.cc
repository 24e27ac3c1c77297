#include "client/report/submit_line.h"

#include <algorithm>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "client/cli/arguments.h"
#include "client/cli/text_format.h"

namespace modelpatch::client::report {
namespace {

constexpr size_t kLineCharacters = 100;

// A word of a POSIX shell.
std::string ShellWord(const std::string& text) {
  const auto is_plain = [](unsigned char c) {
    return absl::ascii_isalnum(c) || std::string("-_./:,=+@%").find(static_cast<char>(c)) != std::string::npos;
  };
  bool all_plain = !text.empty();
  for (const char c : text) all_plain = all_plain && is_plain(static_cast<unsigned char>(c));
  return all_plain ? text : absl::StrCat("'", absl::StrReplaceAll(text, {{"'", "'\\''"}}), "'");
}

// The options of a line, each with its value.
class Line {
 public:
  void Add(const std::string& option, const std::string& value) { words_.push_back(option + " " + ShellWord(value)); }
  void Add(const std::string& option, double value) { Add(option, ExactNumber(value)); }
  void Add(const std::string& option, int64_t value) { Add(option, absl::StrCat(value)); }
  void AddFlag(const std::string& option) { words_.push_back(option); }

  std::string Text() const {
    std::string text = "modelpatch job submit";
    size_t length = text.size();
    for (const std::string& word : words_) {
      const bool fits = length + 1 + word.size() <= kLineCharacters;
      absl::StrAppend(&text, fits ? " " : " \\\n    ", word);
      length = fits ? length + 1 + word.size() : 4 + word.size();
    }
    return text;
  }

 private:
  std::vector<std::string> words_;
};

// A model, task or checkpoint as it is typed; a whole name where the short one would be taken for another.
std::string Typed(const std::string& collection, const std::string& name) {
  const std::string id = ShortName(name);
  return ResourceName(collection, id) == name ? id : name;
}

// "0:1:0.05" where that gives the same numbers, else all of them.
std::string AlphasText(const google::protobuf::RepeatedField<double>& alphas) {
  if (alphas.size() > 3) {
    const std::string range = absl::StrCat(ExactNumber(alphas.Get(0)), ":", ExactNumber(alphas.Get(alphas.size() - 1)),
                                           ":", Number(alphas.Get(1) - alphas.Get(0)));
    const auto parsed = ParseAlphas(range);
    if (parsed.ok() && std::equal(parsed->begin(), parsed->end(), alphas.begin(), alphas.end())) return range;
  }
  return absl::StrJoin(alphas, ",", [](std::string* out, double alpha) { out->append(ExactNumber(alpha)); });
}

void AddRecipe(const v1::FineTuneOptions& options, Line& line) {
  if (options.has_steps()) line.Add("--steps", int64_t{options.steps()});
  if (options.has_batch_size()) line.Add("--batch-size", int64_t{options.batch_size()});
  if (options.has_learning_rate()) line.Add("--learning-rate", options.learning_rate());
  if (options.has_warmup_steps()) line.Add("--warmup-steps", int64_t{options.warmup_steps()});
  if (options.has_weight_decay()) line.Add("--weight-decay", options.weight_decay());
  if (options.has_beta1()) line.Add("--beta1", options.beta1());
  if (options.has_beta2()) line.Add("--beta2", options.beta2());
  if (options.has_epsilon()) line.Add("--adam-epsilon", options.epsilon());
  if (options.has_gradient_clip()) line.Add("--gradient-clip", options.gradient_clip());
  if (options.has_seed()) line.Add("--seed", options.seed());
  if (options.has_augment() && !options.augment()) line.AddFlag("--no-augment");
  if (options.has_validation_interval_steps()) {
    line.Add("--validation-interval-steps", int64_t{options.validation_interval_steps()});
  }
  if (options.precision() == v1::PRECISION_BFLOAT16) line.Add("--precision", "bf16");
}

void AddAlternatives(const v1::FineTuneOptions& options, Line& line) {
  if (options.schedule() == v1::LEARNING_RATE_SCHEDULE_CONSTANT) line.Add("--schedule", "constant");
  if (options.has_label_smoothing()) line.Add("--label-smoothing", options.label_smoothing());
  if (options.has_snapshot_interval_steps()) {
    line.Add("--snapshot-interval-steps", int64_t{options.snapshot_interval_steps()});
  }
  if (options.has_ema_decay()) line.Add("--ema-decay", options.ema_decay());
  if (options.has_l2_penalty()) line.Add("--l2-penalty", options.l2_penalty());
  if (options.has_elastic_weight_consolidation()) {
    const v1::ElasticWeightConsolidation& elastic = options.elastic_weight_consolidation();
    line.Add("--ewc-weight", elastic.weight());
    line.Add("--ewc-task", Typed("tasks", elastic.task()));
    if (elastic.has_examples()) line.Add("--ewc-examples", int64_t{elastic.examples()});
  }
  if (options.has_contrastive_mixing()) {
    line.Add("--contrastive-weight", options.contrastive_mixing().weight());
    const std::string& task = options.contrastive_mixing().task();
    if (!task.empty()) line.Add("--contrastive-task", Typed("tasks", task));
  }
  if (options.learned_head()) line.AddFlag("--learned-head");
}

void AddSearch(const v1::CoefficientSearch& search, Line& line) {
  switch (search.method_case()) {
    case v1::CoefficientSearch::kUniform:
      line.Add("--search", "uniform");
      break;
    case v1::CoefficientSearch::kExhaustive:
      line.Add("--search", "exhaustive");
      if (!search.exhaustive().coefficients().empty()) {
        line.Add("--search-grid", AlphasText(search.exhaustive().coefficients()));
      }
      break;
    case v1::CoefficientSearch::kBlackBox:
      line.Add("--search", "black-box");
      if (search.black_box().has_maximum_evaluations()) {
        line.Add("--search-evaluations", int64_t{search.black_box().maximum_evaluations()});
      }
      line.Add("--search-seed", search.black_box().seed());
      break;
    case v1::CoefficientSearch::kGradient: {
      const v1::CoefficientSearch::Gradient& gradient = search.gradient();
      line.Add("--search", "gradient");
      if (gradient.has_steps()) line.Add("--search-steps", int64_t{gradient.steps()});
      if (gradient.has_learning_rate()) line.Add("--search-learning-rate", gradient.learning_rate());
      if (gradient.has_batch_size()) line.Add("--search-batch-size", int64_t{gradient.batch_size()});
      if (gradient.group() == v1::COEFFICIENT_GROUP_MODEL) line.Add("--coefficient-group", "model");
      if (gradient.group() == v1::COEFFICIENT_GROUP_BLOCK) line.Add("--coefficient-group", "block");
      if (gradient.group() == v1::COEFFICIENT_GROUP_LAYER) line.Add("--coefficient-group", "layer");
      line.Add("--search-seed", gradient.seed());
      break;
    }
    case v1::CoefficientSearch::METHOD_NOT_SET:
      break;
  }
  if (search.sum_at_most_one()) line.AddFlag("--sum-at-most-one");
}

void AddMerge(const v1::Merge& merge, Line& line) {
  switch (merge.method_case()) {
    case v1::Merge::kTaskArithmetic:
      line.Add("--merge", "task-arithmetic");
      break;
    case v1::Merge::kTies:
      line.Add("--merge", "ties");
      if (merge.ties().has_density()) line.Add("--density", merge.ties().density());
      break;
    case v1::Merge::kDare:
      line.Add("--merge", "dare");
      if (merge.dare().has_drop_rate()) line.Add("--drop-rate", merge.dare().drop_rate());
      line.Add("--merge-seed", merge.dare().seed());
      break;
    case v1::Merge::kFisher:
      line.Add("--merge", "fisher");
      if (merge.fisher().has_examples()) line.Add("--fisher-examples", int64_t{merge.fisher().examples()});
      break;
    case v1::Merge::kSlerp:
      line.Add("--merge", "slerp");
      break;
    case v1::Merge::METHOD_NOT_SET:
      break;
  }
}

}  // namespace

std::string SubmitLine(const v1::PatchJobSpec& spec) {
  Line line;
  line.Add("--model", Typed("models", spec.model()));
  for (const std::string& task : spec.patching_tasks()) line.Add("--patch-task", Typed("tasks", task));
  for (const std::string& task : spec.supported_tasks()) line.Add("--supported-task", Typed("tasks", task));
  if (spec.strategy() > v1::STRATEGY_SINGLE) line.Add("--strategy", StrategyName(spec.strategy()));
  if (spec.task_balance() == v1::TASK_BALANCE_BY_SIZE) line.Add("--task-balance", "size");
  if (spec.task_balance() == v1::TASK_BALANCE_EVEN) line.Add("--task-balance", "even");
  if (spec.has_order_seed()) line.Add("--order-seed", spec.order_seed());
  if (spec.skip_comparisons()) line.AddFlag("--skip-comparisons");
  for (const std::string& checkpoint : spec.checkpoints()) line.Add("--checkpoint", Typed("checkpoints", checkpoint));
  if (spec.alpha_policy().policy_case() == v1::AlphaPolicy::kFixedAlpha) {
    line.Add("--alpha-policy", "fixed");
    line.Add("--alpha", spec.alpha_policy().fixed_alpha());
  } else if (spec.alpha_policy().has_budget()) {
    line.Add("--alpha-policy", "budget");
    line.Add("--epsilon", spec.alpha_policy().budget().epsilon_points());
  }
  if (!spec.alphas().empty()) line.Add("--alphas", AlphasText(spec.alphas()));
  AddRecipe(spec.fine_tune(), line);
  AddAlternatives(spec.fine_tune(), line);
  AddSearch(spec.coefficient_search(), line);
  AddMerge(spec.merge(), line);
  return line.Text();
}

}  // namespace modelpatch::client::report
