#include <torch/torch.h>

#include <string>

#include "core/model/convolution.h"
#include "core/model/image_encoder.h"
#include "core/model/layers.h"
#include "core/tensor/compat.h"

namespace modelpatch::model {
namespace {

constexpr double kBatchNormEpsilon = 1e-5;
constexpr double kBatchNormMomentum = 0.1;
constexpr int64_t kBottleneckExpansion = 4;

// The weights of a layout in two sequences: those that are trained, and the buffers behind them.
class SpecList {
 public:
  void Add(std::string name, std::vector<int64_t> shape) { trained_.push_back({std::move(name), std::move(shape)}); }

  void AddBatchNorm(const std::string& prefix, int64_t channels) {
    Add(prefix + ".weight", {channels});
    Add(prefix + ".bias", {channels});
    buffers_.push_back({prefix + ".running_mean", {channels}, /*is_buffer=*/true});
    buffers_.push_back({prefix + ".running_var", {channels}, /*is_buffer=*/true});
    buffers_.push_back({prefix + ".num_batches_tracked", {}, /*is_buffer=*/true, tensor::DType::kInt64});
  }

  std::vector<tensor::WeightSpec> Join() && {
    trained_.insert(trained_.end(), buffers_.begin(), buffers_.end());
    return std::move(trained_);
  }
  size_t trained_count() const { return trained_.size(); }

 private:
  std::vector<tensor::WeightSpec> trained_;
  std::vector<tensor::WeightSpec> buffers_;
};

// Walks over the weights in the order in which SpecList took them.
class WeightCursor {
 public:
  WeightCursor(const std::vector<at::Tensor>& weights, size_t trained_count, bool training)
      : weights_(weights), buffer_(trained_count), training_(training) {}

  const at::Tensor& Next() { return weights_[trained_++]; }

  // A convolution without bias, its BatchNorm, and with `relu` what is above 0 of it.
  at::Tensor ConvBatchNorm(const at::Tensor& input, int64_t stride, int64_t padding, bool relu) {
    const at::Tensor& kernel = Next();
    const BatchNormWeights norm = NextBatchNorm();
    const bool is_exact = kernel.scalar_type() == at::kFloat && kernel.device().is_cpu();
    if (is_exact && !training_ && !at::GradMode::is_enabled()) {
      const at::Tensor scale = norm.gain / (norm.variance + kBatchNormEpsilon).sqrt();
      return ConvolveScaleShift(input, kernel, scale, norm.bias - norm.mean * scale, stride, padding, relu);
    }
    const at::Tensor convolved = at::conv2d(input.to(kernel.scalar_type()), kernel, {}, stride, padding);
    at::Tensor normed = at::batch_norm(convolved.to(at::kFloat), norm.gain, norm.bias, norm.mean, norm.variance,
                                       training_, kBatchNormMomentum, kBatchNormEpsilon, /*cudnn_enabled=*/true);
    return relu ? normed.relu_() : normed;
  }

 private:
  struct BatchNormWeights {
    at::Tensor gain;
    at::Tensor bias;
    at::Tensor mean;
    at::Tensor variance;
  };

  BatchNormWeights NextBatchNorm() {
    const at::Tensor& gain = Next();
    const at::Tensor& bias = Next();
    const at::Tensor& mean = weights_[buffer_++];
    const at::Tensor& variance = weights_[buffer_++];
    at::Tensor batches = weights_[buffer_++];
    if (training_) batches.add_(1);
    return {gain, bias, mean, variance};
  }

  const std::vector<at::Tensor>& weights_;
  size_t trained_ = 0;
  size_t buffer_;
  const bool training_;
};

struct BottleneckShape {
  int64_t inputs;  // channels
  int64_t middle;  // channels; four times as many come out
  int64_t stride;

  int64_t outputs() const { return kBottleneckExpansion * middle; }
  bool has_downsample() const { return stride > 1 || inputs != outputs(); }
};

class ModifiedResNet final : public ImageEncoder {
 public:
  ModifiedResNet(const VisionConfig& config, int64_t embedding_width)
      : config_(config), embedding_width_(embedding_width) {
    int64_t inputs = config.width;
    for (size_t stage = 0; stage < config.stages.size(); ++stage) {
      for (int64_t block = 0; block < config.stages[stage]; ++block) {
        const BottleneckShape shape{inputs, config.width << stage, stage > 0 && block == 0 ? 2 : 1};
        inputs = shape.outputs();
        blocks_.push_back({"visual.layer" + std::to_string(stage + 1) + "." + std::to_string(block) + ".", shape});
      }
    }
    trained_count_ = Specs().trained_count();
  }

  std::vector<tensor::WeightSpec> WeightSpecs() const override { return Specs().Join(); }

  at::Tensor Forward(const std::vector<at::Tensor>& weights, const at::Tensor& pixels) const override {
    return Run(WeightCursor(weights, trained_count_, /*training=*/false), pixels);
  }
  at::Tensor TrainingForward(const std::vector<at::Tensor>& weights, const at::Tensor& pixels) const override {
    return Run(WeightCursor(weights, trained_count_, /*training=*/true), pixels);
  }

 private:
  struct Block {
    std::string prefix;
    BottleneckShape shape;
  };

  SpecList Specs() const {
    SpecList specs;
    const int64_t half = config_.width / 2;
    AddConvolution(specs, "visual.conv1", "visual.bn1", 3, half, 3);
    AddConvolution(specs, "visual.conv2", "visual.bn2", half, half, 3);
    AddConvolution(specs, "visual.conv3", "visual.bn3", half, config_.width, 3);
    for (const auto& [prefix, shape] : blocks_) {
      AddConvolution(specs, prefix + "conv1", prefix + "bn1", shape.inputs, shape.middle, 1);
      AddConvolution(specs, prefix + "conv2", prefix + "bn2", shape.middle, shape.middle, 3);
      AddConvolution(specs, prefix + "conv3", prefix + "bn3", shape.middle, shape.outputs(), 1);
      if (!shape.has_downsample()) continue;
      AddConvolution(specs, prefix + "downsample.0", prefix + "downsample.1", shape.inputs, shape.outputs(), 1);
    }
    const int64_t width = kResNetExpansion * config_.width;
    specs.Add("visual.attnpool.positional_embedding", {tokens(), width});
    for (const char* projection : {"k_proj", "q_proj", "v_proj"}) {
      specs.Add(std::string("visual.attnpool.") + projection + ".weight", {width, width});
      specs.Add(std::string("visual.attnpool.") + projection + ".bias", {width});
    }
    specs.Add("visual.attnpool.c_proj.weight", {embedding_width_, width});
    specs.Add("visual.attnpool.c_proj.bias", {embedding_width_});
    return specs;
  }

  static void AddConvolution(SpecList& specs, const std::string& name, const std::string& norm, int64_t inputs,
                             int64_t outputs, int64_t side) {
    specs.Add(name + ".weight", {outputs, inputs, side, side});
    specs.AddBatchNorm(norm, outputs);
  }

  // Of the attention pool: the mean, and the cells of the last grid.
  int64_t tokens() const { return config_.grid().pixels() + 1; }

  at::Tensor Run(WeightCursor cursor, const at::Tensor& pixels) const {
    at::Tensor x = cursor.ConvBatchNorm(pixels, 2, 1, /*relu=*/true);
    x = cursor.ConvBatchNorm(x, 1, 1, /*relu=*/true);
    x = at::avg_pool2d(cursor.ConvBatchNorm(x, 1, 1, /*relu=*/true), 2);
    for (const Block& block : blocks_) x = RunBlock(block.shape, cursor, x);
    return PoolByAttention(cursor, x);
  }

  // An average pool stands before every convolution that would otherwise stride.
  static at::Tensor RunBlock(const BottleneckShape& shape, WeightCursor& cursor, const at::Tensor& input) {
    at::Tensor x = cursor.ConvBatchNorm(input, 1, 0, /*relu=*/true);
    x = cursor.ConvBatchNorm(x, 1, 1, /*relu=*/true);
    if (shape.stride > 1) x = at::avg_pool2d(x, shape.stride);
    x = cursor.ConvBatchNorm(x, 1, 0, /*relu=*/false);
    if (!shape.has_downsample()) return x.add_(input).relu_();
    const at::Tensor pooled = shape.stride > 1 ? at::avg_pool2d(input, shape.stride) : input;
    return x.add_(cursor.ConvBatchNorm(pooled, 1, 0, /*relu=*/false)).relu_();
  }

  // The mean over the grid attends to itself and to every cell. Source: clip/model.py, AttentionPool2d.
  at::Tensor PoolByAttention(WeightCursor& cursor, const at::Tensor& grid) const {
    const int64_t batch = grid.size(0);
    const int64_t width = grid.size(1);
    const at::Tensor cells = grid.flatten(2).transpose(1, 2);
    const at::Tensor x = at::cat({cells.mean(1, /*keepdim=*/true), cells}, 1) + cursor.Next();
    const auto project = [&](const at::Tensor& input) {
      const at::Tensor& weight = cursor.Next();
      const at::Tensor& bias = cursor.Next();
      return Linear(input, weight, bias)
          .view({batch, input.size(1), config_.heads, width / config_.heads})
          .transpose(1, 2);
    };
    const at::Tensor key = project(x);
    const at::Tensor query = project(x.narrow(1, 0, 1));
    const at::Tensor value = project(x);
    const at::Tensor attended = tensor::ScaledDotProductAttention(query, key, value, /*causal=*/false);
    const at::Tensor& weight = cursor.Next();
    const at::Tensor& bias = cursor.Next();
    return Linear(attended.reshape({batch, width}), weight, bias).to(at::kFloat);
  }

  const VisionConfig config_;
  const int64_t embedding_width_;
  std::vector<Block> blocks_;
  size_t trained_count_ = 0;
};

}  // namespace

std::unique_ptr<ImageEncoder> MakeModifiedResNet(const VisionConfig& config, int64_t embedding_width) {
  return std::make_unique<ModifiedResNet>(config, embedding_width);
}

}  // namespace modelpatch::model
