// The load generator: its arithmetic, its schedules on a clock that stands still, and the requests that it makes.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "client/cli/bench_text.h"
#include "client/load/generated_image.h"
#include "client/load/load_report.h"
#include "client/load/load_run.h"
#include "client/load/request_maker.h"
#include "client/load/seeded_random.h"
#include "core/data/image_codec.h"
#include "inference/grpc_predict_v2.pb.h"
#include "modelpatch/v1/inference_service.pb.h"
#include "tests/support/status_matchers.h"

namespace modelpatch::client {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Pair;

// Stands still until somebody sleeps or a call takes its time.
class FakeTimer final : public Timer {
 public:
  double Now() override { return now; }
  void SleepUntil(double time) override { now = std::max(now, time); }
  double now = 0;
};

// Answers at once, in the caller's thread, after `seconds` of the timer.
class FakeCaller final : public Caller {
 public:
  FakeCaller(FakeTimer& timer, double seconds) : timer_(timer), seconds_(seconds) {}

  void Start(uint64_t number, std::function<void(std::string)> done) override {
    numbers.push_back(number);
    timer_.now += seconds_;
    done(number == 1 ? "UNAVAILABLE" : "OK");
  }
  std::vector<uint64_t> numbers;

 private:
  FakeTimer& timer_;
  const double seconds_;
};

// Answers nothing in the first second, and then everything at once.
class HoldingServer final : public Timer, public Caller {
 public:
  double Now() override { return now_; }
  void SleepUntil(double time) override {
    now_ = std::max(now_, time);
    if (now_ < 1) return;
    for (auto& done : std::exchange(held_, {})) done("OK");
  }
  void Start(uint64_t, std::function<void(std::string)> done) override {
    if (now_ >= 1) return done("OK");
    held_.push_back(std::move(done));
  }

 private:
  double now_ = 0;
  std::vector<std::function<void(std::string)>> held_;
};

TEST(PercentileTest, IsTheNearestRank) {
  EXPECT_EQ(Percentile({}, 0.5), 0);
  EXPECT_EQ(Percentile({7}, 0.01), 7);
  EXPECT_EQ(Percentile({7}, 1), 7);
  EXPECT_EQ(Percentile({1, 2, 3, 4}, 0.5), 2);
  EXPECT_EQ(Percentile({1, 2, 3}, 0.5), 2);
  EXPECT_EQ(Percentile({1, 2, 3, 4}, 0), 1);
  std::vector<double> hundred;
  for (int i = 1; i <= 100; ++i) hundred.push_back(i);
  for (int i = 1; i <= 100; ++i) EXPECT_EQ(Percentile(hundred, i / 100.0), i);
}

TEST(SummarizeTest, CountsWhatLiesInTheWindow) {
  const std::vector<LoadSample> samples = {{0.5, 1.5, "OK"},    // arrived before it, ended in it
                                           {1, 1.25, "OK"},     // in it
                                           {1.5, 1.625, "OK"},  // in it
                                           {1.75, 2, "UNAVAILABLE"}, {2.875, 3.5, "OK"},  // ended after it
                                           {3, 3.25, "OK"}};                              // after it
  const LoadReport report = Summarize(samples, {1, 3}, 4);
  EXPECT_EQ(report.seconds, 2);
  EXPECT_EQ(report.requests_per_second, 1.5);
  EXPECT_EQ(report.images_per_second, 6);
  EXPECT_EQ(report.measured, 3);
  EXPECT_EQ(report.p50, 250);
  EXPECT_EQ(report.p99, 625);
  EXPECT_EQ(report.maximum, 625);
  EXPECT_NEAR(report.mean, 1000.0 / 3, 1e-9);
  EXPECT_THAT(report.codes, ElementsAre(Pair("OK", 3), Pair("UNAVAILABLE", 1)));
  EXPECT_EQ(Summarize({}, {1, 3}, 1).p99, 0);
}

TEST(ClosedLoopTest, AClientSendsItsNextCallWhenTheLastIsAnswered) {
  FakeTimer timer;
  FakeCaller caller(timer, 0.25);
  const auto samples = RunLoad(ClosedLoop{1}, 1, caller, timer);
  EXPECT_THAT(caller.numbers, ElementsAre(0, 1, 2, 3));
  ASSERT_EQ(samples.size(), 4u);
  double arrivals = 0;
  for (const LoadSample& sample : samples) {
    EXPECT_EQ(sample.end - sample.arrival, 0.25);
    arrivals += sample.arrival;
  }
  EXPECT_EQ(arrivals, 0 + 0.25 + 0.5 + 0.75);
  EXPECT_EQ(std::count_if(samples.begin(), samples.end(), [](const auto& one) { return one.code == "OK"; }), 3);
}

TEST(OpenLoopTest, ArrivalsAreAPoissonProcessOfTheGivenRate) {
  const OpenLoop loop{50, 7};
  constexpr int kCount = 100'000;
  double sum = 0;
  double squares = 0;
  int longer_than_mean = 0;
  for (uint64_t i = 0; i < kCount; ++i) {
    const double gap = ArrivalGap(loop, i);
    ASSERT_GE(gap, 0);
    sum += gap;
    squares += gap * gap;
    if (gap > 1.0 / 50) ++longer_than_mean;
  }
  const double mean = sum / kCount;
  EXPECT_NEAR(mean * 50, 1, 0.02);
  // An exponential distribution: the deviation is the mean, and 1/e of all exceed it.
  EXPECT_NEAR(std::sqrt(squares / kCount - mean * mean) * 50, 1, 0.03);
  EXPECT_NEAR(longer_than_mean / static_cast<double>(kCount), std::exp(-1), 0.01);
  EXPECT_EQ(ArrivalGap(loop, 3), ArrivalGap(loop, 3));
  EXPECT_NE(ArrivalGap(loop, 3), ArrivalGap({50, 8}, 3));
}

TEST(OpenLoopTest, LatencyCountsFromTheIntendedArrival) {
  const OpenLoop loop{10, 1};
  FakeTimer timer;
  // Each call holds the sender up for a whole second: ten arrive in that time.
  FakeCaller caller(timer, 1);
  const auto samples = RunLoad(loop, 2, caller, timer);
  double arrival = 0;
  double sent = 0;
  for (size_t i = 0; i < samples.size(); ++i) {
    arrival += ArrivalGap(loop, i);
    sent = std::max(sent, arrival);
    EXPECT_DOUBLE_EQ(samples[i].arrival, arrival);
    EXPECT_DOUBLE_EQ(samples[i].end, sent + 1);
    sent += 1;
  }
  EXPECT_GE(arrival + ArrivalGap(loop, samples.size()), 2);
  ASSERT_GT(samples.size(), 5u);
  EXPECT_GT(samples.back().end - samples.back().arrival, 4);
}

TEST(OpenLoopTest, TooManyUnansweredCallsAreNotSent) {
  const OpenLoop loop{100, 3, /*maximum_unanswered=*/5};
  HoldingServer server;
  const auto samples = RunLoad(loop, 2, server, server);
  int64_t held = 0;
  for (double arrival = ArrivalGap(loop, 0); arrival < 1; arrival += ArrivalGap(loop, static_cast<uint64_t>(held)))
    ++held;
  const auto of = [&](const std::string& code) {
    return std::count_if(samples.begin(), samples.end(), [&](const auto& one) { return one.code == code; });
  };
  EXPECT_EQ(of("NOT_SENT"), held - 5);
  EXPECT_EQ(of("OK"), static_cast<int64_t>(samples.size()) - of("NOT_SENT"));
}

template <typename Message>
Message Parse(const grpc::ByteBuffer& buffer) {
  grpc::Slice slice;
  EXPECT_TRUE(buffer.DumpToSingleSlice(&slice).ok());
  Message message;
  EXPECT_TRUE(message.ParseFromArray(slice.begin(), static_cast<int>(slice.size())));
  return message;
}

LoadRequestOptions TwoAlphas() {
  LoadRequestOptions options;
  options.model = "clip";
  options.checkpoint = "checkpoints/digits";
  options.alphas = {0.25, 0.5};
  options.class_names = {"cat", "dog"};
  options.templates = {"a {c}."};
  options.images = {"first", "second", "third"};
  options.images_per_request = 2;
  options.top_k = 1;
  return options;
}

TEST(RequestMakerTest, PutsAClassifyRequestTogether) {
  const RequestMaker maker(TwoAlphas());
  EXPECT_EQ(maker.method(), "/modelpatch.v1.InferenceService/Classify");
  for (const uint64_t number : {0, 1, 2, 7}) {
    const auto request = Parse<v1::ClassifyRequest>(maker.Make(number));
    EXPECT_EQ(request.mixture().model(), "models/clip");
    ASSERT_EQ(request.mixture().terms_size(), 1);
    EXPECT_EQ(request.mixture().terms(0).checkpoint(), "checkpoints/digits");
    EXPECT_EQ(request.mixture().terms(0).coefficient(), number % 2 == 0 ? 0.25 : 0.5);
    EXPECT_THAT(request.class_prompts().names().class_names(), ElementsAre("cat", "dog"));
    EXPECT_THAT(request.class_prompts().names().templates(), ElementsAre("a {c}."));
    EXPECT_EQ(request.top_k(), 1);
    ASSERT_EQ(request.images_size(), 2);
    const std::vector<std::string> images = {"first", "second", "third"};
    EXPECT_EQ(request.images(0).encoded(), images[2 * number % 3]);
    EXPECT_EQ(request.images(1).encoded(), images[(2 * number + 1) % 3]);
  }
}

TEST(RequestMakerTest, PutsAModelInferRequestTogether) {
  LoadRequestOptions options = TwoAlphas();
  options.protocol = LoadProtocol::kOpenInference;
  options.images_per_request = 1;
  const RequestMaker maker(options);
  EXPECT_EQ(maker.method(), "/inference.GRPCInferenceService/ModelInfer");
  const auto request = Parse<inference::ModelInferRequest>(maker.Make(1));
  EXPECT_EQ(request.model_name(), "clip");
  EXPECT_EQ(request.parameters().at("checkpoint").string_param(), "digits");
  EXPECT_EQ(request.parameters().at("alpha").double_param(), 0.5);
  EXPECT_EQ(request.parameters().at("top_k").int64_param(), 1);
  ASSERT_EQ(request.inputs_size(), 3);
  EXPECT_EQ(request.inputs(0).name(), "class_names");
  EXPECT_EQ(request.inputs(1).name(), "templates");
  EXPECT_EQ(request.inputs(2).name(), "images");
  EXPECT_THAT(request.inputs(2).contents().bytes_contents(), ElementsAre("second"));
}

TEST(RequestMakerTest, WithoutClassesImagesAreEncoded) {
  LoadRequestOptions options = TwoAlphas();
  options.class_names.clear();
  const RequestMaker maker(options);
  EXPECT_EQ(maker.method(), "/modelpatch.v1.InferenceService/EncodeImages");
  EXPECT_EQ(Parse<v1::EncodeImagesRequest>(maker.Make(0)).images_size(), 2);
}

TEST(RequestMakerTest, FreshClassNamesAreNewInEachRequest) {
  LoadRequestOptions options = TwoAlphas();
  options.fresh_class_names = true;
  const RequestMaker maker(options);
  const auto names = [&](uint64_t number) {
    const auto request = Parse<v1::ClassifyRequest>(maker.Make(number));
    const auto& texts = request.class_prompts().names().class_names();
    return std::vector<std::string>(texts.begin(), texts.end());
  };
  EXPECT_THAT(names(3), ElementsAre("cat 3", "dog 3"));
  EXPECT_THAT(names(4), ElementsAre("cat 4", "dog 4"));
}

TEST(RequestMakerTest, RandomAlphasAreAFunctionOfTheSeed) {
  LoadRequestOptions options = TwoAlphas();
  options.random_alphas = true;
  const RequestMaker one(options);
  const RequestMaker same(options);
  int high = 0;
  for (uint64_t i = 0; i < 1000; ++i) {
    EXPECT_EQ(one.AlphaOf(i), same.AlphaOf(i));
    EXPECT_EQ(Parse<v1::ClassifyRequest>(one.Make(i)).mixture().terms(0).coefficient(), one.AlphaOf(i));
    if (one.AlphaOf(i) == 0.5) ++high;
  }
  EXPECT_NEAR(high, 500, 80);
}

TEST(GeneratedImageTest, IsAPhotographsSizeAndAFunctionOfTheSeed) {
  const std::string image = GenerateJpeg(500, 375, 1);
  EXPECT_EQ(image, GenerateJpeg(500, 375, 1));
  EXPECT_NE(image, GenerateJpeg(500, 375, 2));
  EXPECT_GT(image.size(), 15'000u);
  EXPECT_LT(image.size(), 120'000u);
  ASSERT_OK_AND_ASSIGN(const data::RgbImage decoded, data::DecodeImage(image));
  EXPECT_EQ(decoded.width, 500);
  EXPECT_EQ(decoded.height, 375);
  EXPECT_OK(data::DecodeImage(GenerateJpeg(1, 1, 1)));
}

TEST(BenchTextTest, SaysLatenciesThroughputAndErrors) {
  const LoadReport report = Summarize({{0, 0.25, "OK"}, {0.5, 0.6, "RESOURCE_EXHAUSTED"}}, {0, 1}, 2);
  const std::string text = BenchText({"modelpatch", 4, 0, 2}, report);
  EXPECT_THAT(text, HasSubstr("4 clients"));
  EXPECT_THAT(text, HasSubstr("250.00 ms"));
  EXPECT_THAT(text, HasSubstr("1.0 requests a second, 2.0 images a second"));
  EXPECT_THAT(text, HasSubstr("OK 1, RESOURCE_EXHAUSTED 1"));
  const std::string json = BenchJson({"oip", 0, 12.5, 2}, report);
  EXPECT_THAT(json, HasSubstr("\"rate\":12.5"));
  EXPECT_THAT(json, HasSubstr("\"p99\":250.0"));
  EXPECT_THAT(json, HasSubstr("\"RESOURCE_EXHAUSTED\":1"));
  EXPECT_THAT(BenchText({"oip", 0, 12.5, 1}, {}), HasSubstr("12.5 arrivals a second"));
}

}  // namespace
}  // namespace modelpatch::client
