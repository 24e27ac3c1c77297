#include "core/model/weight_copy.h"

#include <fmt/format.h>
#include <torch/torch.h>

#include <utility>

#include "core/base/digest.h"
#include "core/tensor/scalar_type.h"
#include "core/tensor/weight_loop.h"

namespace modelpatch::model {
namespace {

class WeightCopier {
 public:
  WeightCopier(const WeightFiles& files, SourceNames names, const tensor::WeightSet& weights)
      : files_(files), names_(names), weights_(weights) {}

  // Copies the weight at `index` and returns its digest.
  absl::StatusOr<std::string> Copy(size_t index) const {
    const tensor::WeightSpec& spec = weights_.layout().weights()[index].spec;
    const at::Tensor& view = weights_.views()[index];
    const SourceTensors source = SourceOf(names_, spec.name);
    const auto parts = static_cast<int64_t>(source.names.size());
    const int64_t rows = view.dim() == 0 ? 0 : view.size(0) / parts;
    base::Sha256 digest;
    digest.UpdateInteger(spec.name.size());
    digest.Update(spec.name);
    digest.Update(tensor::NameOf(spec.source_dtype));
    for (int64_t part = 0; part < parts; ++part) {
      const std::string& name = source.names[static_cast<size_t>(part)];
      const at::Tensor stored = files_.View(*files_.table().Find(name));
      at::Tensor target = parts == 1 ? view : view.narrow(0, part * rows, rows);
      const at::Tensor turned = (source.transposed ? stored.t() : stored).reshape(target.sizes());
      target.copy_(turned);
      if (!at::isfinite(target).all().item<bool>()) {
        return base::InvalidArgument("MODEL_TENSOR_NOT_FINITE",
                                     fmt::format("the tensor '{}' holds NaN or infinity; the model cannot work", name));
      }
      const at::Tensor values = turned.to(tensor::ScalarTypeOf(spec.source_dtype)).contiguous();
      digest.Update(values.data_ptr(), values.nbytes());
    }
    return digest.Finish();
  }

 private:
  const WeightFiles& files_;
  const SourceNames names_;
  const tensor::WeightSet& weights_;
};

}  // namespace

absl::StatusOr<std::vector<std::string>> CopyWeights(const WeightFiles& files, SourceNames names,
                                                     const tensor::WeightSet& weights,
                                                     const base::CancellationToken& cancellation) {
  const WeightCopier copier(files, names, weights);
  std::vector<absl::StatusOr<std::string>> digests(weights.layout().weights().size());
  tensor::ForEachWeight(weights.layout(), [&](size_t index) {
    const at::NoGradGuard no_grad;
    const absl::Status cancelled = cancellation.Check();
    digests[index] = cancelled.ok() ? copier.Copy(index) : cancelled;
  });
  std::vector<std::string> result;
  for (absl::StatusOr<std::string>& digest : digests) {
    MP_ASSIGN_OR_RETURN(result.emplace_back(), std::move(digest));
  }
  return result;
}

}  // namespace modelpatch::model
