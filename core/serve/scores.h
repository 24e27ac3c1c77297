// From features to ranked class scores. Pure; throws what libtorch throws.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

namespace at {
class Tensor;
}

namespace modelpatch::serve {

struct ClassScore {
  int64_t class_index;
  double probability;
  double logit;
  double cosine;
};

// fp32 [B, C], contiguous: of each row of features [B, E] with each of the normalised class embeddings [C, E], both
// fp32 on the CPU. One product over the embeddings for each image if there are few, since with thousands of classes
// reading them is what takes time.
at::Tensor Cosines(const at::Tensor& features, const at::Tensor& embeddings);

// For features and embeddings as above: cosines, logits = logit_scale · cosine, and their softmax over all classes, in
// fp32. With a logit bias it is added to each logit, and a probability is the sigmoid of the class's own logit (Zhai et
// al. 2023, "Sigmoid Loss for Language Image Pre-Training"). Per image the best `top_k` (0: all), best first, equal
// scores in the order of the classes.
std::vector<std::vector<ClassScore>> ScoreClasses(const at::Tensor& features, const at::Tensor& embeddings,
                                                  double logit_scale, std::optional<double> logit_bias, int64_t top_k);

}  // namespace modelpatch::serve
