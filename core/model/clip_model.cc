#include "core/model/clip_model.h"

#include <fmt/format.h>
#include <torch/torch.h>

#include <algorithm>
#include <map>
#include <numeric>
#include <utility>

#include "core/tensor/guard.h"

namespace modelpatch::model {
namespace {

// Texts encoded at once: enough to fill the matrix products, little enough to be cancelled soon.
constexpr size_t kTextBatch = 128;
// Texts tokenised between two looks at the cancellation.
constexpr size_t kTextsBetweenLooks = 1024;

// Encodes the texts in order of their lengths, so that a batch holds texts of about the same length.
at::Tensor EncodeTokens(const ClipModel& model, const std::vector<std::vector<int32_t>>& tokens,
                        const base::CancellationToken& cancellation, absl::Status& status) {
  std::vector<int64_t> order(tokens.size());
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(), [&](int64_t a, int64_t b) {
    return tokens[static_cast<size_t>(a)].size() < tokens[static_cast<size_t>(b)].size();
  });
  const at::Tensor& flat = model.text_weights.flat();
  at::Tensor embeddings =
      at::empty({static_cast<int64_t>(tokens.size()), model.config.embedding_width}, flat.options());
  for (size_t begin = 0; begin < order.size(); begin += kTextBatch) {
    status = cancellation.Check();
    if (!status.ok()) break;
    const size_t end = std::min(order.size(), begin + kTextBatch);
    std::vector<std::vector<int32_t>> batch;
    for (size_t i = begin; i < end; ++i) batch.push_back(tokens[static_cast<size_t>(order[i])]);
    const std::vector<int64_t> rows(order.begin() + static_cast<int64_t>(begin),
                                    order.begin() + static_cast<int64_t>(end));
    const at::Tensor features = model.text_encoder->Forward(model.text_weights.views(), batch);
    embeddings.index_copy_(0, torch::tensor(rows, at::kLong).to(flat.device()), features);
  }
  return embeddings;
}

// The distinct prompts of all classes, and which of them each class uses.
struct PromptTable {
  std::vector<std::string> prompts;
  std::vector<std::vector<int64_t>> of_class;
};

PromptTable CollectPrompts(std::span<const ClassPrompts> classes) {
  PromptTable table;
  std::map<std::string, int64_t, std::less<>> index;
  for (const ClassPrompts& entry : classes) {
    std::vector<int64_t>& used = table.of_class.emplace_back();
    for (const std::string& prompt : entry.prompts) {
      const auto [found, is_new] = index.emplace(prompt, static_cast<int64_t>(table.prompts.size()));
      if (is_new) table.prompts.push_back(prompt);
      used.push_back(found->second);
    }
  }
  return table;
}

}  // namespace

at::Tensor NormalizeFeatures(const at::Tensor& features) { return features / features.norm(2, -1, /*keepdim=*/true); }

absl::StatusOr<at::Tensor> EncodeTexts(const ClipModel& model, std::span<const std::string> texts, bool normalize,
                                       const base::CancellationToken& cancellation, std::vector<bool>* truncated) {
  std::vector<std::vector<int32_t>> tokens;
  if (truncated != nullptr) truncated->clear();
  for (size_t i = 0; i < texts.size(); ++i) {
    if (i % kTextsBetweenLooks == 0) MP_RETURN_IF_ERROR(cancellation.Check());
    auto tokenized = model.tokenizer->Tokenize(texts[i]);
    if (!tokenized.ok()) return base::WithField(tokenized.status(), fmt::format("texts[{}]", i));
    if (truncated != nullptr) truncated->push_back(tokenized->truncated);
    tokens.push_back(std::move(tokenized->ids));
  }
  return tensor::Guarded([&]() -> absl::StatusOr<at::Tensor> {
    const at::NoGradGuard no_grad;
    absl::Status status;
    const at::Tensor embeddings = EncodeTokens(model, tokens, cancellation, status);
    MP_RETURN_IF_ERROR(status);
    return normalize ? NormalizeFeatures(embeddings) : embeddings;
  });
}

absl::StatusOr<ZeroShotHead> MakeZeroShotHead(const ClipModel& model, std::span<const ClassPrompts> classes,
                                              const base::CancellationToken& cancellation) {
  const PromptTable table = CollectPrompts(classes);
  std::vector<bool> truncated;
  MP_ASSIGN_OR_RETURN(const at::Tensor prompts,
                      EncodeTexts(model, table.prompts, /*normalize=*/true, cancellation, &truncated));
  return tensor::Guarded([&]() -> absl::StatusOr<ZeroShotHead> {
    const at::NoGradGuard no_grad;
    ZeroShotHead head;
    at::Tensor embeddings = at::empty({static_cast<int64_t>(classes.size()), prompts.size(1)}, prompts.options());
    for (size_t i = 0; i < classes.size(); ++i) {
      const at::Tensor rows = torch::tensor(table.of_class[i], at::kLong).to(prompts.device());
      embeddings[static_cast<int64_t>(i)].copy_(prompts.index_select(0, rows).mean(0));
      head.class_names.push_back(classes[i].name);
    }
    head.embeddings = std::make_shared<const at::Tensor>(NormalizeFeatures(embeddings));
    head.truncated_prompts = std::count(truncated.begin(), truncated.end(), true);
    return head;
  });
}

}  // namespace modelpatch::model
