// What serving must survive: deletion in use, impatient clients, and too much at once.
#include <httplib.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <map>
#include <regex>
#include <string>
#include <thread>
#include <vector>

#include "tests/integration/end_to_end.h"

namespace modelpatch::testing {
namespace {

constexpr int kClients = 6;

class ServingFaultsTest : public EndToEnd {
 protected:
  void SetUp() override {
    StartServer();
    ImportModelAndTasks();
    ASSERT_THAT(Submit(JobRequest("digits", 2)), Succeeds());
    ASSERT_EQ(WaitForJob("digits").state(), v1::PATCH_JOB_STATE_SUCCEEDED);
  }

  v1::ClassifyRequest Request(double alpha) const { return ClassifyRequestAt("checkpoints/digits", alpha); }

  // The value of a metric without labels, or −1.
  double Metric(const std::string& name) {
    const auto page = httplib::Client(server_->http_address()).Get("/metrics");
    std::smatch match;
    if (page == nullptr || !std::regex_search(page->body, match, std::regex("\n" + name + " ([-0-9.e+]+)"))) return -1;
    return std::stod(match[1]);
  }

  // Has clients classify at α that move until `stop`; counts the answers by code.
  std::vector<std::thread> StartClients(const std::atomic<bool>& stop, std::atomic<int>& answered,
                                        std::atomic<int>& not_found, std::atomic<int>& other) {
    std::vector<std::thread> clients;
    for (int client = 0; client < kClients; ++client) {
      clients.emplace_back([&, client] {
        for (int i = 0; !stop; ++i) {
          const grpc::Status status = Classify(Request((client * 31 + i) % 101 / 100.0));
          if (status.ok()) {
            ++answered;
          } else if (status.error_code() == grpc::StatusCode::NOT_FOUND) {
            ++not_found;
          } else {
            ++other;
          }
        }
      });
    }
    return clients;
  }
};

TEST_F(ServingFaultsTest, ACheckpointDeletedInUseIsNotFoundFromThenOnAndLeavesNoMemory) {
  std::atomic<bool> stop = false;
  std::atomic<int> answered = 0;
  std::atomic<int> not_found = 0;
  std::atomic<int> other = 0;
  std::vector<std::thread> clients = StartClients(stop, answered, not_found, other);
  while (answered + other < 20) std::this_thread::yield();
  EXPECT_GT(Metric("modelpatch_mixture_cache_bytes"), 0);
  grpc::ClientContext context;
  v1::DeleteCheckpointRequest deletion;
  deletion.set_name("checkpoints/digits");
  google::protobuf::Empty empty;
  ASSERT_THAT(stubs_->checkpoints->DeleteCheckpoint(&context, deletion, &empty), Succeeds());
  // Whatever was asked from now on is not there.
  EXPECT_THAT(Classify(Request(0.5)), AnswersWith(grpc::StatusCode::NOT_FOUND, "CHECKPOINT_NOT_FOUND"));
  while (not_found + other < 20) std::this_thread::yield();
  stop = true;
  for (std::thread& client : clients) client.join();
  EXPECT_EQ(other, 0);
  EXPECT_THAT(Classify(ClassifyRequestAt("", 0)), Succeeds());
}

TEST_F(ServingFaultsTest, AModelDeletedInUseIsNotFoundFromThenOn) {
  std::atomic<bool> stop = false;
  std::atomic<int> answered = 0;
  std::atomic<int> not_found = 0;
  std::atomic<int> other = 0;
  std::vector<std::thread> clients = StartClients(stop, answered, not_found, other);
  while (answered + other < 20) std::this_thread::yield();
  {
    grpc::ClientContext context;
    v1::DeleteCheckpointRequest deletion;
    deletion.set_name("checkpoints/digits");
    google::protobuf::Empty empty;
    ASSERT_THAT(stubs_->checkpoints->DeleteCheckpoint(&context, deletion, &empty), Succeeds());
  }
  grpc::ClientContext context;
  v1::DeleteModelRequest deletion;
  deletion.set_name("models/tiny");
  google::protobuf::Empty empty;
  ASSERT_THAT(stubs_->models->DeleteModel(&context, deletion, &empty), Succeeds());
  EXPECT_THAT(Classify(ClassifyRequestAt("", 0)), AnswersWith(grpc::StatusCode::NOT_FOUND, "MODEL_NOT_FOUND"));
  while (not_found + other < 20) std::this_thread::yield();
  stop = true;
  for (std::thread& client : clients) client.join();
  EXPECT_EQ(other, 0);
}

TEST_F(ServingFaultsTest, CallsThatAreGivenUpAtAnyTimeEndOnceAndHarmNobody) {
  for (int delay = 0; delay < 40; ++delay) {
    grpc::ClientContext context;
    std::thread canceller([&] {
      std::this_thread::sleep_for(std::chrono::microseconds(delay * 250));
      context.TryCancel();
    });
    v1::ClassifyRequest request = Request(delay / 40.0);
    // A list that is new each time: reading, decoding, the head, the queue and the forward each have their turn.
    request.mutable_class_prompts()->mutable_names()->add_class_names(fmt::format("thing {}", delay));
    v1::ClassifyResponse response;
    const grpc::Status status = stubs_->inference->Classify(&context, request, &response);
    canceller.join();
    EXPECT_TRUE(status.ok() || status.error_code() == grpc::StatusCode::CANCELLED) << status.error_message();
  }
  EXPECT_THAT(Classify(Request(0.5)), Succeeds());
}

TEST_F(ServingFaultsTest, ADeadlineOfAMillisecondIsAnAnswerOrTooLate) {
  for (int i = 0; i < 40; ++i) {
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() + std::chrono::milliseconds(1));
    v1::ClassifyResponse response;
    const grpc::Status status = stubs_->inference->Classify(&context, Request(i / 40.0), &response);
    EXPECT_TRUE(status.ok() || status.error_code() == grpc::StatusCode::DEADLINE_EXCEEDED) << status.error_message();
  }
  EXPECT_THAT(Classify(Request(0.5)), Succeeds());
}

TEST_F(ServingFaultsTest, AHundredThousandClassesAreRefusedAtOnce) {
  v1::ClassifyRequest request = Request(0.5);
  for (int i = 0; i < 100'000; ++i) {
    request.mutable_class_prompts()->mutable_names()->add_class_names(fmt::format("class {}", i));
  }
  EXPECT_THAT(Classify(request), AnswersWith(grpc::StatusCode::INVALID_ARGUMENT, "TOO_MANY_CLASSES"));
  EXPECT_THAT(Classify(Request(0.5)), Succeeds());
}

TEST_F(ServingFaultsTest, ClassesThatComeAgainHaveTheSameAnswerAndInAnotherOrderTheirOwn) {
  v1::ClassifyRequest request = Request(0.5);
  auto* names = request.mutable_class_prompts()->mutable_names();
  for (int i = 0; i < 200; ++i) names->add_class_names(fmt::format("thing {}", i));
  v1::ClassifyRequest reversed = request;
  std::reverse(reversed.mutable_class_prompts()->mutable_names()->mutable_class_names()->begin(),
               reversed.mutable_class_prompts()->mutable_names()->mutable_class_names()->end());
  v1::ClassifyResponse first;
  v1::ClassifyResponse again;
  v1::ClassifyResponse other;
  ASSERT_THAT(Classify(request, &first), Succeeds());
  ASSERT_THAT(Classify(reversed, &other), Succeeds());
  request.set_top_k(3);
  ASSERT_THAT(Classify(request, &again), Succeeds());
  ASSERT_EQ(first.results(0).scores_size(), names->class_names_size());
  ASSERT_EQ(again.results(0).scores_size(), 3);
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(again.results(0).scores(i).class_name(), first.results(0).scores(i).class_name());
    EXPECT_NEAR(again.results(0).scores(i).probability(), first.results(0).scores(i).probability(), 1e-5);
  }
  std::map<std::string, double> cosines;
  for (const auto& score : first.results(0).scores()) cosines[score.class_name()] = score.cosine();
  ASSERT_EQ(other.results(0).scores_size(), static_cast<int>(cosines.size()));
  for (const auto& score : other.results(0).scores()) {
    EXPECT_NEAR(score.cosine(), cosines[score.class_name()], 1e-5) << score.class_name();
  }
}

TEST_F(ServingFaultsTest, DifferentAlphasAtATimeGiveEachItsOwnAnswer) {
  std::vector<v1::ClassifyResponse> alone(11);
  for (int i = 0; i <= 10; ++i) ASSERT_THAT(Classify(Request(i / 10.0), &alone[static_cast<size_t>(i)]), Succeeds());
  std::vector<std::thread> clients;
  std::atomic<int> wrong = 0;
  for (int client = 0; client < kClients; ++client) {
    clients.emplace_back([&, client] {
      for (int i = 0; i <= 20; ++i) {
        const int tenth = (client * 3 + i) % 11;
        v1::ClassifyResponse together;
        const grpc::Status status = Classify(Request(tenth / 10.0), &together);
        const auto& expected = alone[static_cast<size_t>(tenth)].results(0).scores();
        const auto& scores = status.ok() ? together.results(0).scores() : expected;
        if (!status.ok()) ++wrong;
        for (int k = 0; k < expected.size(); ++k) {
          if (std::abs(scores[k].cosine() - expected[k].cosine()) > 1e-4) ++wrong;
        }
      }
    });
  }
  for (std::thread& client : clients) client.join();
  EXPECT_EQ(wrong, 0);
}

}  // namespace
}  // namespace modelpatch::testing
