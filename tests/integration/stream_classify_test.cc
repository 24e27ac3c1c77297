// Bulk classification over one stream: every image is answered, what is broken by itself, and nobody else pays for a
// client that does not read.

#include <httplib.h>

#include <algorithm>
#include <csignal>
#include <functional>
#include <limits>
#include <map>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "google/protobuf/empty.pb.h"
#include "tests/integration/end_to_end.h"

namespace modelpatch::testing {
namespace {

using grpc::StatusCode;
using Stream = grpc::ClientReaderWriter<v1::StreamClassifyRequest, v1::StreamClassifyResponse>;

// One call. Belongs to one thread.
class Call {
 public:
  explicit Call(const Stubs& stubs) : stream_(stubs.inference->StreamClassify(&context_)) {}

  bool WriteHeader(const v1::ClassifyRequest& like) {
    v1::StreamClassifyRequest request;
    v1::StreamClassifyHeader& header = *request.mutable_header();
    if (like.has_mixture()) *header.mutable_mixture() = like.mixture();
    *header.mutable_class_prompts() = like.class_prompts();
    header.set_top_k(like.top_k());
    return stream_->Write(request);
  }
  bool WriteImage(const std::string& id, const std::string& encoded) {
    v1::StreamClassifyRequest request;
    v1::StreamClassifyImage& image = *request.mutable_images()->add_images();
    image.set_id(id);
    image.mutable_image()->set_encoded(encoded);
    return stream_->Write(request);
  }
  bool Write(const v1::StreamClassifyRequest& request) { return stream_->Write(request); }
  void WritesDone() { stream_->WritesDone(); }
  // An empty response at the end.
  v1::StreamClassifyResponse Read() {
    v1::StreamClassifyResponse response;
    if (!stream_->Read(&response)) response.Clear();
    return response;
  }
  // To the end, by id.
  std::map<std::string, v1::StreamClassifyResult> ReadAll() {
    std::map<std::string, v1::StreamClassifyResult> results;
    v1::StreamClassifyResponse response;
    while (stream_->Read(&response)) {
      if (response.has_result()) results[response.result().id()] = response.result();
    }
    return results;
  }
  grpc::Status Finish() {
    v1::StreamClassifyResponse response;
    while (stream_->Read(&response)) {
    }
    return stream_->Finish();
  }
  void Cancel() { context_.TryCancel(); }

 private:
  grpc::ClientContext context_;
  std::unique_ptr<Stream> stream_;
};

class StreamClassifyTest : public EndToEnd {
 protected:
  void Start(std::vector<std::string> arguments = {}) {
    StartServer(std::move(arguments));
    if (HasFatalFailure()) return;
    ImportModelAndTasks();
  }
  // The sum over all lines of the metric.
  double Metric(const std::string& name) {
    httplib::Client http(server_->http_address());
    const auto response = http.Get("/metrics");
    if (!response) {
      ADD_FAILURE() << "there is no /metrics at " << server_->http_address();
      return std::numeric_limits<double>::infinity();
    }
    double sum = 0;
    for (size_t at = 0; at < response->body.size();) {
      const size_t end = std::min(response->body.find('\n', at), response->body.size());
      const std::string line = response->body.substr(at, end - at);
      if (line.starts_with(name + " ") || line.starts_with(name + "{")) sum += std::stod(line.substr(line.rfind(' ')));
      at = end + 1;
    }
    return sum;
  }
};

TEST_F(StreamClassifyTest, EveryImageIsAnsweredAndBrokenOnesByThemselves) {
  Start();
  v1::ClassifyResponse expected;
  const v1::ClassifyRequest like = ClassifyRequestAt("", 0);
  ASSERT_THAT(Classify(like, &expected), Succeeds());
  Call call(*stubs_);
  ASSERT_TRUE(call.WriteHeader(like));
  const v1::StreamClassifyResponse start = call.Read();
  ASSERT_TRUE(start.has_start());
  EXPECT_EQ(start.start().mixture().model(), "models/tiny");
  EXPECT_EQ(start.start().probability_kind(), v1::PROBABILITY_KIND_SOFTMAX);
  for (int i = 0; i < 200; ++i) {
    const bool broken = i == 0 || i == 99 || i == 150;
    call.WriteImage(std::to_string(i), broken ? "no image" : like.images(0).encoded());
  }
  call.WritesDone();
  const auto results = call.ReadAll();
  EXPECT_THAT(call.Finish(), Succeeds());
  ASSERT_EQ(results.size(), 200u);
  for (const auto& [id, result] : results) {
    const bool broken = id == "0" || id == "99" || id == "150";
    ASSERT_EQ(result.has_error(), broken) << id;
    if (broken) {
      EXPECT_EQ(result.error().code(), static_cast<int>(StatusCode::INVALID_ARGUMENT));
      EXPECT_EQ(ReasonOf({StatusCode::INVALID_ARGUMENT, "", result.error().SerializeAsString()}),
                "IMAGE_UNKNOWN_FORMAT");
    } else {
      ASSERT_EQ(result.result().scores_size(), 3);
      EXPECT_NEAR(result.result().scores(0).probability(), expected.results(0).scores(0).probability(), 1e-5);
      EXPECT_EQ(result.result().scores(0).class_name(), expected.results(0).scores(0).class_name());
    }
  }
}

TEST_F(StreamClassifyTest, SeveralImagesInOneMessage) {
  Start();
  const v1::ClassifyRequest like = ClassifyRequestAt("", 0);
  Call call(*stubs_);
  ASSERT_TRUE(call.WriteHeader(like));
  v1::StreamClassifyRequest request;
  for (int i = 0; i < 64; ++i) {
    auto& image = *request.mutable_images()->add_images();
    image.set_id(std::to_string(i));
    if (i != 7) *image.mutable_image() = like.images(0);
  }
  call.Write(request);
  call.WritesDone();
  const auto results = call.ReadAll();
  EXPECT_THAT(call.Finish(), Succeeds());
  EXPECT_EQ(results.size(), 64u);
  EXPECT_TRUE(results.at("7").has_error());
  EXPECT_TRUE(results.at("8").has_result());
}

TEST_F(StreamClassifyTest, AFullQueueIsWaitedOut) {
  Start({"--max-queued-images", "2", "--max-batch", "1"});
  const v1::ClassifyRequest like = ClassifyRequestAt("", 0);
  Call call(*stubs_);
  ASSERT_TRUE(call.WriteHeader(like));
  for (int i = 0; i < 40; ++i) call.WriteImage(std::to_string(i), like.images(0).encoded());
  call.WritesDone();
  const auto results = call.ReadAll();
  EXPECT_THAT(call.Finish(), Succeeds());
  ASSERT_EQ(results.size(), 40u);
  for (const auto& [id, result] : results) EXPECT_TRUE(result.has_result()) << id << result.error().message();
}

TEST_F(StreamClassifyTest, AStreamWithAMistakeEndsAfterItsResults) {
  Start();
  const v1::ClassifyRequest good = ClassifyRequestAt("", 0);
  {
    Call call(*stubs_);
    call.WriteImage("1", good.images(0).encoded());
    EXPECT_THAT(call.Finish(), AnswersWith(StatusCode::INVALID_ARGUMENT, "NO_HEADER"));
  }
  {
    Call call(*stubs_);
    call.WritesDone();
    EXPECT_THAT(call.Finish(), AnswersWith(StatusCode::INVALID_ARGUMENT, "NO_HEADER"));
  }
  {
    Call call(*stubs_);
    call.WriteHeader(ClassifyRequestAt("checkpoints/none", 0.5));
    const grpc::Status status = call.Finish();
    EXPECT_THAT(status, AnswersWith(StatusCode::NOT_FOUND, "CHECKPOINT_NOT_FOUND"));
    EXPECT_EQ(FieldOf(status), "header.mixture.terms[0].checkpoint");
  }
  {
    v1::ClassifyRequest bad = good;
    bad.clear_class_prompts();
    Call call(*stubs_);
    call.WriteHeader(bad);
    EXPECT_THAT(call.Finish(), AnswersWith(StatusCode::INVALID_ARGUMENT, "NO_CLASSES"));
  }
  {
    v1::ClassifyRequest bad = good;
    bad.set_top_k(-1);
    Call call(*stubs_);
    call.WriteHeader(bad);
    EXPECT_THAT(call.Finish(), AnswersWith(StatusCode::INVALID_ARGUMENT, "BAD_TOP_K"));
  }
  const struct {
    const char* reason;
    std::function<void(v1::StreamClassifyRequest&)> fill;
  } cases[] = {
      {"HEADER_TWICE", [](auto& r) { r.mutable_header(); }},
      {"NO_IMAGES", [](auto& r) { r.mutable_images(); }},
      {"NO_IMAGES", [](auto&) {}},
      {"TOO_MANY_IMAGES",
       [](auto& r) {
         for (int i = 0; i < 65; ++i) r.mutable_images()->add_images();
       }},
      {"BAD_IMAGE_ID", [](auto& r) { r.mutable_images()->add_images()->set_id(std::string(1025, 'x')); }},
      {"MALFORMED_REQUEST", [](auto& r) { r.mutable_images()->add_images()->set_id("\xff\xfe"); }},
  };
  for (const auto& [reason, fill] : cases) {
    Call call(*stubs_);
    ASSERT_TRUE(call.WriteHeader(good));
    call.WriteImage("before", good.images(0).encoded());
    v1::StreamClassifyRequest request;
    fill(request);
    call.Write(request);
    const auto results = call.ReadAll();
    EXPECT_EQ(results.count("before"), 1u) << reason;
    EXPECT_THAT(call.Finish(), AnswersWith(StatusCode::INVALID_ARGUMENT, reason));
  }
  ExpectServerAlive();
}

TEST_F(StreamClassifyTest, ADeletedModelIsNotFoundByTheNextImage) {
  Start();
  const v1::ClassifyRequest like = ClassifyRequestAt("", 0);
  Call call(*stubs_);
  ASSERT_TRUE(call.WriteHeader(like));
  ASSERT_TRUE(call.Read().has_start());
  call.WriteImage("before", like.images(0).encoded());
  EXPECT_TRUE(call.Read().result().has_result());
  {
    grpc::ClientContext context;
    v1::DeleteModelRequest request;
    request.set_name("models/tiny");
    google::protobuf::Empty empty;
    ASSERT_THAT(stubs_->models->DeleteModel(&context, request, &empty), Succeeds());
  }
  call.WriteImage("after", like.images(0).encoded());
  const v1::StreamClassifyResponse after = call.Read();
  EXPECT_EQ(after.result().id(), "after");
  EXPECT_EQ(after.result().error().code(), static_cast<int>(StatusCode::NOT_FOUND));
  call.WritesDone();
  EXPECT_THAT(call.Finish(), Succeeds());
}

TEST_F(StreamClassifyTest, AClientThatDoesNotReadIsReadNoFurther) {
  Start();
  // Answers of a quarter of a megabyte, so that few of them fit into what lies between server and client.
  v1::ClassifyRequest like = ClassifyRequestAt("", 0);
  like.mutable_class_prompts()->mutable_names()->clear_class_names();
  for (int i = 0; i < 250; ++i) {
    like.mutable_class_prompts()->mutable_names()->add_class_names(std::string(1000, 'x') + std::to_string(i));
  }
  constexpr int kImages = 600;
  Call call(*stubs_);
  ASSERT_TRUE(call.WriteHeader(like));
  // It is kept waiting too.
  std::jthread writer([&] {
    for (int i = 0; i < kImages; ++i) call.WriteImage(std::to_string(i), like.images(0).encoded());
    call.WritesDone();
  });
  while (Metric("modelpatch_images_total") < 64) ExpectServerAlive();
  // Others are served meanwhile.
  const auto others = std::make_unique<Stubs>(server_->Connect());
  for (int i = 0; i < 100; ++i) {
    grpc::ClientContext context;
    v1::ClassifyResponse response;
    ASSERT_THAT(others->inference->Classify(&context, ClassifyRequestAt("", 0), &response), Succeeds());
  }
  EXPECT_LT(Metric("modelpatch_images_total"), kImages);
  EXPECT_EQ(call.ReadAll().size(), static_cast<size_t>(kImages));
  writer.join();
  EXPECT_THAT(call.Finish(), Succeeds());
}

TEST_F(StreamClassifyTest, ACancelledStreamGivesItsPlaceBack) {
  Start({"--max-streams", "1"});
  const v1::ClassifyRequest like = ClassifyRequestAt("", 0);
  Call call(*stubs_);
  ASSERT_TRUE(call.WriteHeader(like));
  ASSERT_TRUE(call.Read().has_start());
  for (int i = 0; i < 100; ++i) call.WriteImage(std::to_string(i), like.images(0).encoded());
  call.Read();
  call.Cancel();
  EXPECT_EQ(call.Finish().error_code(), StatusCode::CANCELLED);
  // The server sees it a moment later; until then there is no place for another.
  grpc::Status status = grpc::Status::CANCELLED;
  for (int i = 0; i < 100'000; ++i) {
    Call next(*stubs_);
    next.WriteHeader(like);
    next.WritesDone();
    status = next.Finish();
    if (status.ok()) break;
    ASSERT_THAT(status, AnswersWith(StatusCode::RESOURCE_EXHAUSTED, "QUEUE_FULL"));
  }
  EXPECT_THAT(status, Succeeds());
}

TEST_F(StreamClassifyTest, StreamsMayBeCancelledAtAnyMoment) {
  Start();
  const v1::ClassifyRequest like = ClassifyRequestAt("", 0);
  for (int images = 0; images < 40; ++images) {
    Call call(*stubs_);
    if (images > 0) call.WriteHeader(like);
    for (int i = 0; i < images; ++i) call.WriteImage(std::to_string(i), like.images(0).encoded());
    for (int i = 0; i < images / 2; ++i) call.Read();
    call.Cancel();
    call.Finish();
  }
  ExpectServerAlive();
  EXPECT_THAT(Classify(like), Succeeds());
}

TEST_F(StreamClassifyTest, AShutdownEndsAnIdleStream) {
  Start({"--drain-seconds", "600"});
  Call call(*stubs_);
  const v1::ClassifyRequest like = ClassifyRequestAt("", 0);
  ASSERT_TRUE(call.WriteHeader(like));
  ASSERT_TRUE(call.Read().has_start());
  call.WriteImage("1", like.images(0).encoded());
  EXPECT_TRUE(call.Read().result().has_result());
  server_->Signal(SIGTERM);
  EXPECT_THAT(call.Finish(), AnswersWith(StatusCode::UNAVAILABLE, "SERVER_STOPPING"));
  EXPECT_EQ(server_->Wait(), 0);
}

}  // namespace
}  // namespace modelpatch::testing
