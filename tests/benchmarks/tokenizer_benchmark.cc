// Tokenising the prompts of ImageNet: 1000 class names in 80 templates, with OpenAI's vocabulary, on one core.
#include <benchmark/benchmark.h>
#include <time.h>

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/base/file.h"
#include "core/data/prompt_templates.h"
#include "core/model/bpe_tokenizer.h"
#include "core/model/class_prompts.h"
#include "tests/benchmarks/comparison.h"
#include "tests/support/test_data.h"

namespace modelpatch::benchmarks {
namespace {

std::unique_ptr<model::Tokenizer> MakeClipTokenizer(const std::string& directory) {
  constexpr uint64_t kMaximumFile = 8 << 20;
  const std::string vocabulary = *base::ReadFile(directory + "/vocab.json", kMaximumFile);
  const std::string merges = *base::ReadFile(directory + "/merges.txt", kMaximumFile);
  return *model::MakeBpeTokenizer(vocabulary, merges, 77);
}

std::vector<std::string> ImageNetPrompts() {
  const auto names = *data::BuiltinClassNames("imagenet");
  const auto templates = *data::BuiltinTemplates("imagenet");
  model::PromptLimits limits;
  limits.unique_names = false;
  const std::vector<model::ClassPrompts> classes =
      *model::ExpandClassPrompts(std::vector<std::string>(names.begin(), names.end()),
                                 std::vector<std::string>(templates.begin(), templates.end()), limits);
  std::vector<std::string> prompts;
  for (const model::ClassPrompts& one : classes) {
    prompts.insert(prompts.end(), one.prompts.begin(), one.prompts.end());
  }
  return prompts;
}

// The processor time of the calling thread: of one core, whatever else the machine does.
template <typename Function>
double CoreSeconds(const Function& function) {
  const auto now = [] {
    timespec time = {};
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
    return static_cast<double>(time.tv_sec) + 1e-9 * static_cast<double>(time.tv_nsec);
  };
  const double begin = now();
  function();
  return now() - begin;
}

// prompts_per_second: the median of all runs. first_prompts_per_second: the run of a tokenizer that was just made.
void BM_TokenizePrompts(benchmark::State& state) {
  const std::optional<std::string> directory = testing::FindTestData("golden/tokenizer");
  if (!directory.has_value()) {
    state.SkipWithError("no golden/tokenizer below $MODELPATCH_TEST_DATA");
    return;
  }
  const std::vector<std::string> prompts = ImageNetPrompts();
  const std::unique_ptr<model::Tokenizer> tokenizer = MakeClipTokenizer(*directory);
  int64_t tokens = 0;
  const auto tokenize = [&] {
    tokens = 0;
    for (const std::string& prompt : prompts) tokens += static_cast<int64_t>(tokenizer->Tokenize(prompt)->ids.size());
  };
  const double first = CoreSeconds(tokenize);
  std::vector<double> times;
  for (auto _ : state) {
    times.push_back(CoreSeconds(tokenize));
    state.SetIterationTime(times.back());
  }
  const auto count = static_cast<double>(prompts.size());
  state.counters["prompts"] = count;
  state.counters["tokens_per_prompt"] = static_cast<double>(tokens) / count;
  state.counters["first_prompts_per_second"] = count / first;
  state.counters["prompts_per_second"] = count / Median(times);
}
BENCHMARK(BM_TokenizePrompts)->UseManualTime()->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace modelpatch::benchmarks
