#include "core/serve/batcher.h"

#include <torch/torch.h>

#include <atomic>
#include <future>
#include <mutex>
#include <thread>
#include <vector>

#include "core/model/mixed_layers.h"
#include "tests/support/fakes.h"
#include "tests/support/status_matchers.h"

namespace modelpatch::serve {
namespace {

using ::modelpatch::testing::FailsWith;

// An encoder whose feature is the sum of an image times the first weight, that records its batches and can be held up.
class FakeEncoder final : public model::ImageEncoder {
 public:
  std::vector<tensor::WeightSpec> WeightSpecs() const override { return {{"factor", {1}}}; }

  at::Tensor Forward(const std::vector<at::Tensor>& weights, const at::Tensor& pixels) const override {
    entered.set_value();
    release.get_future().wait();
    return Plain(weights, pixels);
  }

  at::Tensor Plain(const std::vector<at::Tensor>& weights, const at::Tensor& pixels) const {
    const std::lock_guard<std::mutex> lock(mutex);
    batches.push_back(pixels.size(0));
    return pixels.flatten(1).sum(1, /*keepdim=*/true) * weights[0];
  }

  at::Tensor Mixed(const model::MixedBatch& batch, const at::Tensor& pixels) const {
    const std::lock_guard<std::mutex> lock(mutex);
    mixed_batches.push_back(pixels.size(0));
    at::Tensor features = pixels.flatten(1).sum(1, /*keepdim=*/true);
    const size_t count = batch.sources.size();
    for (int64_t sample = 0; sample < batch.samples(); ++sample) {
      float factor = 0;
      for (size_t source = 0; source < count; ++source) {
        factor += batch.coefficients[static_cast<size_t>(sample) * count + source] *
                  (*batch.sources[source])[0].item<float>();
      }
      features[sample] *= factor;
    }
    return features;
  }

  mutable std::promise<void> entered;
  mutable std::promise<void> release;
  mutable std::mutex mutex;
  mutable std::vector<int64_t> batches;
  mutable std::vector<int64_t> mixed_batches;
};

// The first forward is held up until told; later ones run at once.
class GatedEncoder final : public model::ImageEncoder {
 public:
  std::vector<tensor::WeightSpec> WeightSpecs() const override { return {{"factor", {1}}}; }
  at::Tensor Forward(const std::vector<at::Tensor>& weights, const at::Tensor& pixels) const override {
    if (!gate_used_.exchange(true)) return gate.Forward(weights, pixels);
    return gate.Plain(weights, pixels);
  }
  bool can_mix() const override { return true; }
  at::Tensor MixedForward(const model::MixedBatch& batch, const at::Tensor& pixels) const override {
    return gate.Mixed(batch, pixels);
  }
  FakeEncoder gate;

 private:
  mutable std::atomic<bool> gate_used_ = false;
};

class BatcherTest : public ::testing::Test {
 protected:
  std::shared_ptr<const model::EncoderWeights> Weights(float factor) const {
    const tensor::WeightSet weights(layout_, tensor::Device());
    weights.flat().data_ptr<float>()[0] = factor;
    return std::make_shared<const model::EncoderWeights>(weights, model::Precision::kFloat32);
  }

  ForwardRequest Request(const std::shared_ptr<const model::EncoderWeights>& weights, float value,
                         int64_t count = 1) const {
    ForwardRequest request;
    request.encoder = encoder_;
    request.weights.materialised = weights;
    request.pixels.assign(static_cast<size_t>(count * 3), value);
    request.count = count;
    request.image_size = 1;
    return request;
  }

  std::future<absl::StatusOr<ForwardResult>> Submit(Batcher& batcher, ForwardRequest request) {
    auto promise = std::make_shared<std::promise<absl::StatusOr<ForwardResult>>>();
    auto future = promise->get_future();
    batcher.Submit(std::move(request),
                   [promise](absl::StatusOr<ForwardResult> result) { promise->set_value(std::move(result)); });
    return future;
  }

  // Fills the compute thread with a request that waits in the encoder.
  std::future<absl::StatusOr<ForwardResult>> Occupy(Batcher& batcher) {
    auto future = Submit(batcher, Request(Weights(1), 1));
    encoder_->gate.entered.get_future().wait();
    return future;
  }
  void Release() { encoder_->gate.release.set_value(); }

  static float Feature(std::future<absl::StatusOr<ForwardResult>>& future, int64_t row = 0) {
    const absl::StatusOr<ForwardResult> result = future.get();
    EXPECT_OK(result);
    return result.ok() ? (*result->features)[row][0].item<float>() : -1;
  }

  const std::shared_ptr<const tensor::WeightLayout> layout_ = *tensor::WeightLayout::Make({{"factor", {1}}});
  // The mixture (1 − alpha)·1 + alpha·3, to be mixed.
  ForwardRequest MixedRequest(double alpha, float value) const {
    ForwardRequest request = Request(nullptr, value);
    request.weights.sources = {{one_, 1 - alpha}, {three_, alpha}};
    return request;
  }

  const std::shared_ptr<GatedEncoder> encoder_ = std::make_shared<GatedEncoder>();
  const std::shared_ptr<const model::EncoderWeights> one_ = Weights(1);
  const std::shared_ptr<const model::EncoderWeights> three_ = Weights(3);
  const std::unique_ptr<base::MetricRegistry> metrics_ = base::MakeNullMetricRegistry();
  testing::FakeClock clock_;
};

TEST_F(BatcherTest, RequestsOfOneMixtureShareABatchAndGetTheirOwnRows) {
  Batcher batcher({}, clock_, *metrics_);
  auto first = Occupy(batcher);
  const auto weights = Weights(2);
  auto a = Submit(batcher, Request(weights, 1));
  auto b = Submit(batcher, Request(weights, 5, 2));
  auto other = Submit(batcher, Request(Weights(3), 1));
  auto c = Submit(batcher, Request(weights, 7));
  Release();
  EXPECT_EQ(Feature(first), 3);
  EXPECT_EQ(Feature(a), 6);
  EXPECT_EQ(Feature(b, 0), 30);
  EXPECT_EQ(Feature(c), 42);
  EXPECT_EQ(Feature(other), 9);
  EXPECT_EQ(encoder_->gate.batches, (std::vector<int64_t>{1, 4, 1}));
}

TEST_F(BatcherTest, ABatchHasAMaximum) {
  Batcher batcher({/*maximum_batch=*/2, /*maximum_queued_images=*/100}, clock_, *metrics_);
  auto first = Occupy(batcher);
  const auto weights = Weights(1);
  std::vector<std::future<absl::StatusOr<ForwardResult>>> futures;
  for (int i = 0; i < 5; ++i) futures.push_back(Submit(batcher, Request(weights, 1)));
  auto large = Submit(batcher, Request(weights, 1, 9));
  Release();
  for (auto& future : futures) EXPECT_EQ(Feature(future), 3);
  EXPECT_EQ(Feature(large, 8), 3);
  EXPECT_EQ(encoder_->gate.batches, (std::vector<int64_t>{1, 2, 2, 1, 9}));
}

TEST_F(BatcherTest, AFullQueueRefuses) {
  Batcher batcher({/*maximum_batch=*/8, /*maximum_queued_images=*/2}, clock_, *metrics_);
  auto first = Occupy(batcher);
  auto waiting = Submit(batcher, Request(Weights(1), 1, 2));
  auto refused = Submit(batcher, Request(Weights(1), 1));
  EXPECT_THAT(refused.get(), FailsWith(absl::StatusCode::kResourceExhausted, "QUEUE_FULL"));
  Release();
  EXPECT_EQ(Feature(waiting), 3);
}

TEST_F(BatcherTest, AFullQueueMakesBackgroundRequestsWaitAndDoesNotCountThem) {
  Batcher batcher({/*maximum_batch=*/8, /*maximum_queued_images=*/2}, clock_, *metrics_);
  auto first = Occupy(batcher);
  ForwardRequest background = Request(Weights(1), 1, 3);
  background.priority = Priority::kBackground;
  auto early = Submit(batcher, background);
  auto quick = Submit(batcher, Request(Weights(1), 1, 2));
  auto late = Submit(batcher, background);
  Release();
  EXPECT_EQ(Feature(quick), 3);
  EXPECT_EQ(Feature(early), 3);
  EXPECT_EQ(Feature(late), 3);
  EXPECT_OK(first.get());
}

TEST_F(BatcherTest, PassedDeadlinesAndCancelledRequestsCostNoForward) {
  Batcher batcher({}, clock_, *metrics_);
  auto first = Occupy(batcher);
  const auto weights = Weights(1);
  ForwardRequest late = Request(weights, 1);
  late.deadline = clock_.SteadyNow();
  base::CancellationSource source;
  ForwardRequest gone = Request(weights, 1);
  gone.cancellation = source.token();
  auto late_result = Submit(batcher, std::move(late));
  auto gone_result = Submit(batcher, std::move(gone));
  source.Cancel();
  Release();
  EXPECT_EQ(late_result.get().status().code(), absl::StatusCode::kDeadlineExceeded);
  EXPECT_EQ(gone_result.get().status().code(), absl::StatusCode::kCancelled);
  EXPECT_OK(first.get());
  EXPECT_EQ(encoder_->gate.batches, (std::vector<int64_t>{1}));
}

TEST_F(BatcherTest, InteractiveRequestsOvertakeBackgroundOnes) {
  Batcher batcher({}, clock_, *metrics_);
  auto first = Occupy(batcher);
  ForwardRequest background = Request(Weights(1), 1, 3);
  background.priority = Priority::kBackground;
  auto slow = Submit(batcher, std::move(background));
  auto quick = Submit(batcher, Request(Weights(1), 1, 2));
  Release();
  EXPECT_EQ(Feature(quick), 3);
  EXPECT_EQ(Feature(slow), 3);
  EXPECT_EQ(encoder_->gate.batches, (std::vector<int64_t>{1, 2, 3}));
}

TEST_F(BatcherTest, RequestsOfDifferentMixturesShareAMixedBatch) {
  Batcher batcher({}, clock_, *metrics_);
  auto first = Occupy(batcher);
  auto quarter = Submit(batcher, MixedRequest(0.25, 1));
  auto half = Submit(batcher, MixedRequest(0.5, 2));
  auto all = Submit(batcher, MixedRequest(1, 1));
  Release();
  EXPECT_FLOAT_EQ(Feature(quarter), 3 * 1.5F);
  EXPECT_FLOAT_EQ(Feature(half), 6 * 2.0F);
  EXPECT_FLOAT_EQ(Feature(all), 3 * 3.0F);
  // The last is the batch; what came before it measured the costs.
  ASSERT_FALSE(encoder_->gate.mixed_batches.empty());
  EXPECT_EQ(encoder_->gate.mixed_batches.back(), 3);
}

TEST_F(BatcherTest, ClientsAreServedInTurn) {
  Batcher batcher({/*maximum_batch=*/1, /*maximum_queued_images=*/100}, clock_, *metrics_);
  auto first = Occupy(batcher);
  std::mutex mutex;
  std::vector<std::string> served;
  std::vector<std::future<void>> answers;
  const auto submit = [&](const std::string& client) {
    ForwardRequest request = Request(one_, 1);
    request.client = client;
    auto answered = std::make_shared<std::promise<void>>();
    answers.push_back(answered->get_future());
    batcher.Submit(std::move(request), [&, client, answered](const absl::StatusOr<ForwardResult>& result) {
      EXPECT_OK(result);
      {
        const std::lock_guard<std::mutex> lock(mutex);
        served.push_back(client);
      }
      answered->set_value();
    });
  };
  for (int i = 0; i < 3; ++i) submit("greedy");
  submit("modest");
  Release();
  for (auto& answer : answers) answer.wait();
  EXPECT_EQ(served, (std::vector<std::string>{"greedy", "modest", "greedy", "greedy"}));
}

TEST_F(BatcherTest, WhatWaitsAtTheEndIsAnswered) {
  auto batcher = std::make_unique<Batcher>(BatcherOptions{}, clock_, *metrics_);
  auto first = Occupy(*batcher);
  auto waiting = Submit(*batcher, Request(Weights(1), 1));
  std::thread destroyer([&] { batcher.reset(); });
  Release();
  destroyer.join();
  // Either it was still taken or it was cancelled; it is answered once in both cases.
  const auto result = waiting.get();
  EXPECT_TRUE(result.ok() || result.status().code() == absl::StatusCode::kCancelled);
}

}  // namespace
}  // namespace modelpatch::serve
