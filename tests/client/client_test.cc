#include "client/client.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <future>
#include <string>
#include <vector>

#include "client/status_details.h"
#include "tests/client/fake_server.h"

namespace modelpatch::client {
namespace {

using ::modelpatch::testing::DetailedError;
using ::modelpatch::testing::FakeServer;
using ::testing::ElementsAre;

const grpc::Status kUnavailable(grpc::StatusCode::UNAVAILABLE, "starting");

class ClientTest : public ::testing::Test {
 protected:
  ClientTest() : client_(server_.address(), Options()) {}

  ClientOptions Options() {
    ClientOptions options;
    options.retry.sleep = [this](std::chrono::milliseconds time) { waits_.push_back(time.count()); };
    options.watch_maximum_attempts = 3;
    return options;
  }

  FakeServer server_;
  std::vector<int64_t> waits_;
  Client client_;
};

v1::PatchJobEvent Event(int64_t number) {
  v1::PatchJobEvent event;
  event.set_number(number);
  event.mutable_log()->set_message("hello");
  return event;
}

v1::PatchJobEvent EndEvent(int64_t number, v1::PatchJobState state) {
  v1::PatchJobEvent event;
  event.set_number(number);
  event.mutable_state_change()->set_state(state);
  return event;
}

TEST_F(ClientTest, ReturnsTheResponse) {
  server_.get_model = [](const v1::GetModelRequest& request, v1::Model& response) {
    response.set_name(request.name());
    response.set_image_size_pixels(224);
    return grpc::Status::OK;
  };
  const auto model = client_.GetModel("models/m");
  ASSERT_TRUE(model.ok()) << model.status().ToString();
  EXPECT_EQ(model->name(), "models/m");
  EXPECT_EQ(model->image_size_pixels(), 224);
}

TEST_F(ClientTest, ReturnsTheErrorWithItsDetails) {
  server_.get_model = [](const v1::GetModelRequest&, v1::Model&) {
    return DetailedError(grpc::StatusCode::NOT_FOUND, "there is no model 'm'", "MODEL_NOT_FOUND", "name");
  };
  const auto model = client_.GetModel("models/m");
  EXPECT_EQ(model.status().code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(ReasonOf(model.status()), "MODEL_NOT_FOUND");
  ASSERT_EQ(FieldViolationsOf(model.status()).size(), 1u);
  EXPECT_EQ(FieldViolationsOf(model.status())[0].field, "name");
}

TEST_F(ClientTest, RepeatsReadsWhileTheServerIsUnavailable) {
  std::atomic<int> calls{0};
  server_.get_model = [&](const v1::GetModelRequest&, v1::Model&) {
    return ++calls < 3 ? kUnavailable : grpc::Status::OK;
  };
  EXPECT_TRUE(client_.GetModel("models/m").ok());
  EXPECT_EQ(calls, 3);
  EXPECT_THAT(waits_, ElementsAre(100, 200));
}

TEST_F(ClientTest, GivesUpAfterTheLastAttempt) {
  std::atomic<int> calls{0};
  server_.get_model = [&](const v1::GetModelRequest&, v1::Model&) {
    ++calls;
    return kUnavailable;
  };
  EXPECT_TRUE(absl::IsUnavailable(client_.GetModel("models/m").status()));
  EXPECT_EQ(calls, 4);
}

TEST_F(ClientTest, NeverRepeatsADeletionOrAnotherError) {
  std::atomic<int> calls{0};
  server_.delete_model = [&](const v1::DeleteModelRequest&) {
    ++calls;
    return kUnavailable;
  };
  EXPECT_TRUE(absl::IsUnavailable(client_.DeleteModel("models/m")));
  EXPECT_EQ(calls, 1);
  calls = 0;
  server_.get_model = [&](const v1::GetModelRequest&, v1::Model&) {
    ++calls;
    return grpc::Status(grpc::StatusCode::RESOURCE_EXHAUSTED, "full");
  };
  EXPECT_TRUE(absl::IsResourceExhausted(client_.GetModel("models/m").status()));
  EXPECT_EQ(calls, 1);
}

TEST_F(ClientTest, RepeatsACreationWithOneRequestId) {
  std::vector<std::string> ids;
  server_.create_patch_job = [&](const v1::CreatePatchJobRequest& request, v1::PatchJob&) {
    ids.push_back(request.request_id());
    return ids.size() < 2 ? kUnavailable : grpc::Status::OK;
  };
  EXPECT_TRUE(client_.CreatePatchJob({}).ok());
  ASSERT_EQ(ids.size(), 2u);
  EXPECT_EQ(ids[0], ids[1]);
  EXPECT_GE(ids[0].size(), 16u);
  // Another creation has another id.
  EXPECT_TRUE(client_.CreatePatchJob({}).ok());
  EXPECT_NE(ids[2], ids[0]);
  v1::CreatePatchJobRequest own;
  own.set_request_id("mine");
  EXPECT_TRUE(client_.CreatePatchJob(own).ok());
  EXPECT_EQ(ids[3], "mine");
}

TEST_F(ClientTest, GivesUpAtTheDeadline) {
  // The call may reach the server after the client has left: the handler shares what it waits for.
  std::promise<void> release;
  server_.get_model = [released = release.get_future().share()](const v1::GetModelRequest&, v1::Model&) {
    released.wait();
    return grpc::Status::OK;
  };
  ClientOptions options;
  options.deadline = std::chrono::milliseconds(50);
  Client impatient(server_.address(), options);
  EXPECT_TRUE(absl::IsDeadlineExceeded(impatient.GetModel("models/m").status()));
  release.set_value();
}

TEST_F(ClientTest, MessagesAboveGrpcsDefaultLimitPass) {
  // gRPC refuses more than 4 MiB unless it is told otherwise.
  constexpr size_t kSize = size_t{5} << 20;
  std::atomic<size_t> received{0};
  server_.classify = [&](const v1::ClassifyRequest& request, v1::ClassifyResponse& response) {
    received = request.images(0).encoded().size();
    response.add_results()->add_scores()->set_class_name(std::string(kSize, 'x'));
    return grpc::Status::OK;
  };
  v1::ClassifyRequest request;
  request.add_images()->set_encoded(std::string(kSize, 'x'));
  const auto response = client_.Classify(request);
  ASSERT_TRUE(response.ok()) << response.status().ToString();
  EXPECT_EQ(received, kSize);
  EXPECT_EQ(response->results(0).scores(0).class_name().size(), kSize);
}

TEST_F(ClientTest, WatchGoesOnAfterTheLastEventWhenTheConnectionBreaks) {
  std::vector<int64_t> after;
  server_.watch_patch_job = [&](const v1::WatchPatchJobRequest& request,
                                grpc::ServerWriter<v1::PatchJobEvent>& writer) {
    after.push_back(request.after_event_number());
    if (after.size() == 1) {
      writer.Write(Event(1));
      writer.Write(Event(2));
      return kUnavailable;
    }
    // One that was seen already must not be told twice.
    writer.Write(Event(2));
    writer.Write(EndEvent(3, v1::PATCH_JOB_STATE_SUCCEEDED));
    return grpc::Status::OK;
  };
  std::vector<int64_t> seen;
  EXPECT_TRUE(client_
                  .WatchPatchJob("patchJobs/j", 0,
                                 [&](const v1::PatchJobEvent& event) {
                                   seen.push_back(event.number());
                                   return true;
                                 })
                  .ok());
  EXPECT_THAT(seen, ElementsAre(1, 2, 3));
  EXPECT_THAT(after, ElementsAre(0, 2));
}

TEST_F(ClientTest, WatchEndsWithTheJobEvenIfTheConnectionBreaksThen) {
  server_.watch_patch_job = [&](const v1::WatchPatchJobRequest&, grpc::ServerWriter<v1::PatchJobEvent>& writer) {
    writer.Write(EndEvent(1, v1::PATCH_JOB_STATE_FAILED));
    return kUnavailable;
  };
  EXPECT_TRUE(client_.WatchPatchJob("patchJobs/j", 0, [](const auto&) { return true; }).ok());
}

TEST_F(ClientTest, WatchStopsWhenToldAndGivesUpWhenNothingComes) {
  std::atomic<int> calls{0};
  server_.watch_patch_job = [&](const v1::WatchPatchJobRequest&, grpc::ServerWriter<v1::PatchJobEvent>& writer) {
    ++calls;
    for (int64_t number = 1; writer.Write(Event(number)); ++number) {
    }
    return grpc::Status::CANCELLED;
  };
  int seen = 0;
  EXPECT_TRUE(client_.WatchPatchJob("patchJobs/j", 0, [&](const auto&) { return ++seen < 5; }).ok());
  EXPECT_EQ(seen, 5);
  calls = 0;
  server_.watch_patch_job = [&](const v1::WatchPatchJobRequest&, grpc::ServerWriter<v1::PatchJobEvent>&) {
    ++calls;
    return kUnavailable;
  };
  EXPECT_TRUE(absl::IsUnavailable(client_.WatchPatchJob("patchJobs/j", 0, [](const auto&) { return true; })));
  EXPECT_EQ(calls, 3);
}

TEST_F(ClientTest, SweepTellsPointsAndReturnsTheSummary) {
  server_.sweep = [&](const v1::SweepRequest& request, grpc::ServerWriter<v1::SweepResponse>& writer) {
    for (const double alpha : request.alphas()) {
      v1::SweepResponse response;
      response.mutable_point()->set_alpha(alpha);
      writer.Write(response);
    }
    v1::SweepResponse response;
    response.mutable_summary()->set_point_count(request.alphas_size());
    writer.Write(response);
    return grpc::Status::OK;
  };
  v1::SweepRequest request;
  for (const double alpha : {0.0, 0.5, 1.0}) request.add_alphas(alpha);
  std::vector<double> alphas;
  const auto summary = client_.Sweep(request, [&](const v1::SweepPoint& point) { alphas.push_back(point.alpha()); });
  ASSERT_TRUE(summary.ok()) << summary.status().ToString();
  EXPECT_EQ(summary->point_count(), 3);
  EXPECT_THAT(alphas, ElementsAre(0.0, 0.5, 1.0));
}

TEST_F(ClientTest, SweepIsNotRepeatedOnceAPointHasCome) {
  std::atomic<int> calls{0};
  server_.sweep = [&](const v1::SweepRequest&, grpc::ServerWriter<v1::SweepResponse>& writer) {
    // The first time before any point: that can be repeated. The second time after one.
    if (++calls > 1) {
      v1::SweepResponse response;
      response.mutable_point()->set_alpha(0);
      writer.Write(response);
    }
    return kUnavailable;
  };
  int points = 0;
  EXPECT_TRUE(absl::IsUnavailable(client_.Sweep({}, [&](const auto&) { ++points; }).status()));
  EXPECT_EQ(calls, 2);
  EXPECT_EQ(points, 1);
}

TEST_F(ClientTest, SweepWithoutASummaryIsAnError) {
  server_.sweep = [&](const v1::SweepRequest&, grpc::ServerWriter<v1::SweepResponse>&) { return grpc::Status::OK; };
  EXPECT_TRUE(absl::IsDataLoss(client_.Sweep({}, [](const auto&) {}).status()));
}

TEST(ClientWithoutServerTest, SaysUnavailable) {
  ClientOptions options;
  options.retry.maximum_attempts = 1;
  Client client("127.0.0.1:1", options);
  EXPECT_TRUE(absl::IsUnavailable(client.GetModel("models/m").status()));
}

}  // namespace
}  // namespace modelpatch::client
