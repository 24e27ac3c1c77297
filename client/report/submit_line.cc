#include "client/report/submit_line.h"

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

void AddFineTune(const v1::FineTuneOptions& options, Line& line) {
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

}  // namespace

std::string SubmitLine(const v1::PatchJobSpec& spec) {
  Line line;
  line.Add("--model", Typed("models", spec.model()));
  for (const std::string& task : spec.patching_tasks()) line.Add("--patch-task", Typed("tasks", task));
  for (const std::string& task : spec.supported_tasks()) line.Add("--supported-task", Typed("tasks", task));
  if (spec.strategy() > v1::STRATEGY_SINGLE) line.Add("--strategy", StrategyName(spec.strategy()));
  if (spec.alpha_policy().policy_case() == v1::AlphaPolicy::kFixedAlpha) {
    line.Add("--alpha-policy", "fixed");
    line.Add("--alpha", spec.alpha_policy().fixed_alpha());
  } else if (spec.alpha_policy().has_budget()) {
    line.Add("--alpha-policy", "budget");
    line.Add("--epsilon", spec.alpha_policy().budget().epsilon_points());
  }
  if (!spec.alphas().empty()) line.Add("--alphas", AlphasText(spec.alphas()));
  AddFineTune(spec.fine_tune(), line);
  return line.Text();
}

}  // namespace modelpatch::client::report
