#include "core/model/mixed_layers.h"

#include <torch/torch.h>

#include "core/model/row_combination.h"

namespace modelpatch::model {
namespace {

// As in mlp.cc: x·σ(1.702x) = silu(1.702x)/1.702, and the factors ride on the combination of the products.
constexpr double kQuickGeluSlope = 1.702;

// Consecutive samples that name the same sources.
struct Segment {
  int64_t begin;
  int64_t samples;
  std::vector<size_t> sources;
};

std::vector<size_t> SourcesOf(const MixedBatch& batch, int64_t sample) {
  std::vector<size_t> named;
  for (size_t source = 0; source < batch.sources.size(); ++source) {
    if (batch.coefficients[static_cast<size_t>(sample) * batch.sources.size() + source] != 0) named.push_back(source);
  }
  // A sample whose coefficients are all zero has weights of zero; the products of any source give them their shape.
  if (named.empty()) named.push_back(0);
  return named;
}

std::vector<Segment> SegmentsOf(const MixedBatch& batch) {
  std::vector<Segment> segments;
  for (int64_t sample = 0; sample < batch.samples(); ++sample) {
    std::vector<size_t> named = SourcesOf(batch, sample);
    if (segments.empty() || segments.back().sources != named) segments.push_back({sample, 0, std::move(named)});
    ++segments.back().samples;
  }
  return segments;
}

class MixedLayers final : public Layers {
 public:
  explicit MixedLayers(const MixedBatch& batch)
      : sources_(batch.sources),
        samples_(batch.samples()),
        segments_(SegmentsOf(batch)),
        host_coefficients_(batch.coefficients),
        coefficients_(torch::tensor(batch.coefficients)
                          .view({samples_, static_cast<int64_t>(batch.sources.size())})
                          .to(sources_[0]->front().device())) {}

  at::Tensor Norm(size_t first, const at::Tensor& input, double epsilon) const override {
    const int64_t width = input.size(-1);
    const at::Tensor normed = at::layer_norm(input, {width}, {}, {}, epsilon).view({samples_, -1, width});
    const at::Tensor gain = Expand(first, samples_).unsqueeze(1);
    return at::addcmul(Expand(first + 1, samples_).unsqueeze(1), normed, gain).view_as(input);
  }

  at::Tensor Linear(size_t first, const at::Tensor& input) const override {
    return InDtypeOf(first, AffineRows(first, input, 0, sources_[0]->at(first).size(0)));
  }

  at::Tensor LinearRows(size_t first, const at::Tensor& input, int64_t begin, int64_t rows) const override {
    return InDtypeOf(first, AffineRows(first, input, begin, rows));
  }

  at::Tensor Product(size_t weight, const at::Tensor& input) const override {
    return Combine(input, Transposed(weight), 1, {});
  }

  at::Tensor Project(size_t weight, const at::Tensor& input) const override {
    std::vector<at::Tensor> matrices;
    for (const auto* source : sources_) matrices.push_back((*source)[weight]);
    return Combine(input, matrices, 1, {});
  }

  at::Tensor Mlp(size_t first, const at::Tensor& input, Activation activation) const override {
    const bool is_quick = activation == Activation::kQuickGelu;
    const double slope = is_quick ? kQuickGeluSlope : 1.0;
    at::Tensor hidden = Combine(input, Transposed(first), slope, Expand(first + 1, samples_) * slope);
    if (is_quick) {
      at::silu_(hidden);
    } else {
      hidden = at::gelu(hidden, activation == Activation::kGeluTanh ? "tanh" : "none");
    }
    return InDtypeOf(first, Combine(hidden, Transposed(first + 2), 1 / slope, Expand(first + 3, samples_)));
  }

  at::Tensor Scale(size_t weight, const at::Tensor& input) const override {
    const int64_t width = input.size(-1);
    return (input.view({samples_, -1, width}) * Expand(weight, samples_).unsqueeze(1)).view_as(input);
  }

  at::Tensor Expand(size_t weight, int64_t /*batch*/) const override {
    std::vector<at::Tensor> rows;
    for (const auto* source : sources_) rows.push_back((*source)[weight].flatten());
    return at::mm(coefficients_, at::stack(rows).to(at::kFloat));
  }

  at::Tensor AddPositions(size_t weight, const at::Tensor& input) const override {
    return input + Expand(weight, samples_).view_as(input);
  }

 private:
  // Where a plain layer gives the dtype of its matrix.
  at::Tensor InDtypeOf(size_t weight, const at::Tensor& result) const {
    return result.to((*sources_[0])[weight].scalar_type());
  }

  // [in, out] of each source.
  std::vector<at::Tensor> Transposed(size_t weight) const {
    std::vector<at::Tensor> matrices;
    for (const auto* source : sources_) matrices.push_back((*source)[weight].flatten(1).t());
    return matrices;
  }

  at::Tensor AffineRows(size_t first, const at::Tensor& input, int64_t begin, int64_t rows) const {
    std::vector<at::Tensor> matrices = Transposed(first);
    for (at::Tensor& matrix : matrices) matrix = matrix.narrow(1, begin, rows);
    return Combine(input, matrices, 1, Expand(first + 1, samples_).narrow(1, begin, rows).contiguous());
  }

  // fp32 factor · Σ_s c_bs · (input_b · matrix_s) + bias_b, for an undefined or fp32 [B, out] bias.
  at::Tensor Combine(const at::Tensor& given, const std::vector<at::Tensor>& matrices, double factor,
                     const at::Tensor& bias) const {
    const at::Tensor input = given.to(matrices[0].scalar_type());
    const at::Tensor output = at::empty({input.size(0), matrices[0].size(1)}, input.options().dtype(at::kFloat));
    const bool on_cpu = input.device().is_cpu() && input.scalar_type() == at::kFloat;
    const int64_t rows = input.size(0) / samples_;
    for (const Segment& segment : segments_) {
      at::Tensor part = output.narrow(0, segment.begin * rows, segment.samples * rows);
      const at::Tensor segment_input = input.narrow(0, segment.begin * rows, segment.samples * rows);
      if (on_cpu) {
        CombineOnCpu(segment, segment_input, matrices, factor, bias, part);
      } else {
        CombineAnywhere(segment, segment_input, matrices, factor, bias, part);
      }
    }
    return output;
  }

  void CombineOnCpu(const Segment& segment, const at::Tensor& input, const std::vector<at::Tensor>& matrices,
                    double factor, const at::Tensor& bias, at::Tensor& output) const {
    std::vector<at::Tensor> products;
    std::vector<RowPart> parts;
    const float* coefficients = host_coefficients_.data() + static_cast<size_t>(segment.begin) * sources_.size();
    for (const size_t source : segment.sources) {
      if (products.empty()) {
        at::mm_out(output, input, matrices[source]);
        products.push_back(output);
      } else {
        products.push_back(at::mm(input, matrices[source]));
      }
      parts.push_back({products.back().data_ptr<float>(), coefficients + source});
    }
    const int64_t width = output.size(1);
    const float* segment_bias = bias.defined() ? bias.data_ptr<float>() + segment.begin * width : nullptr;
    CombineRows({segment.samples, output.size(0) / segment.samples, width, static_cast<int64_t>(sources_.size()),
                 static_cast<float>(factor), segment_bias},
                parts, output.data_ptr<float>());
  }

  void CombineAnywhere(const Segment& segment, const at::Tensor& input, const std::vector<at::Tensor>& matrices,
                       double factor, const at::Tensor& bias, at::Tensor& output) const {
    const at::Tensor coefficients = coefficients_.narrow(0, segment.begin, segment.samples) * factor;
    at::Tensor rows = output.view({segment.samples, -1, output.size(1)});
    rows.zero_();
    for (const size_t source : segment.sources) {
      const at::Tensor product = at::mm(input, matrices[source]).to(at::kFloat).view_as(rows);
      rows.addcmul_(product, coefficients.select(1, static_cast<int64_t>(source)).view({-1, 1, 1}));
    }
    if (bias.defined()) rows.add_(bias.narrow(0, segment.begin, segment.samples).unsqueeze(1));
  }

  const std::vector<const std::vector<at::Tensor>*> sources_;
  const int64_t samples_;
  const std::vector<Segment> segments_;
  const std::vector<float> host_coefficients_;
  const at::Tensor coefficients_;  // [B, S] on the weights' device
};

}  // namespace

std::unique_ptr<Layers> MakeMixedLayers(const MixedBatch& batch) { return std::make_unique<MixedLayers>(batch); }

}  // namespace modelpatch::model
