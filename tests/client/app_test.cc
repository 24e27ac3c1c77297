#include "client/cli/app.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <sstream>
#include <string>
#include <vector>

#include "tests/client/fake_server.h"
#include "tests/support/test_data.h"

namespace modelpatch::client {
namespace {

using ::modelpatch::testing::DetailedError;
using ::modelpatch::testing::FakeServer;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class AppTest : public ::testing::Test {
 protected:
  int Run(std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), {"modelpatch", "--server", server_.address()});
    std::vector<const char*> pointers;
    for (const std::string& argument : arguments) pointers.push_back(argument.c_str());
    out_.str("");
    error_.str("");
    return RunApp(static_cast<int>(pointers.size()), pointers.data(), out_, error_);
  }

  FakeServer server_;
  std::ostringstream out_;
  std::ostringstream error_;
};

TEST_F(AppTest, HelpIsEverywhere) {
  for (const std::vector<std::string>& command : {std::vector<std::string>{},
                                                  {"model"},
                                                  {"model", "import"},
                                                  {"task", "create"},
                                                  {"job", "submit"},
                                                  {"job", "watch"},
                                                  {"checkpoint", "compare"},
                                                  {"patch", "create"},
                                                  {"patch", "promote"},
                                                  {"interpolate"},
                                                  {"sweep"},
                                                  {"evaluate"},
                                                  {"classify"},
                                                  {"encode-image"},
                                                  {"encode-text"},
                                                  {"tokenize"},
                                                  {"report"},
                                                  {"bench"},
                                                  {"demo"}}) {
    auto line = command;
    line.push_back("--help");
    EXPECT_EQ(Run(line), 0) << ::testing::PrintToString(command);
    EXPECT_THAT(out_.str(), HasSubstr("--help"));
  }
}

TEST_F(AppTest, ALineThatMakesNoSenseIsTwo) {
  for (const std::vector<std::string>& line :
       {std::vector<std::string>{},
        {"model"},
        {"paint"},
        {"model", "import", "m"},
        {"--output", "xml", "model", "list"},
        {"classify", "--model", "m", "x.png"},
        {"classify", "--class", "cat", "x.png"},
        {"task", "create", "t"},
        {"task", "create", "t", "--generator", "shapes", "--format", "idx"},
        {"task", "create", "t", "--generator", "shapes", "--class-seed", "1"},
        {"task", "create", "t", "--generator", "shapes", "--class-parts", "1"},
        {"task", "create", "t", "--generator", "shapes", "--class-part", "0/2", "--class-parts", "2"},
        {"patch", "create", "p"},
        {"patch", "promote"},
        {"classify", "--patch", "p", "--checkpoint", "c", "--class", "a", "x"},
        {"classify", "--model", "m", "--alpha", "1", "--class", "a", "x"},
        {"sweep", "--patch-task", "t"},
        {"sweep", "--checkpoint", "c"}}) {
    EXPECT_EQ(Run(line), 2) << ::testing::PrintToString(line);
    EXPECT_THAT(out_.str(), IsEmpty());
    EXPECT_FALSE(error_.str().empty());
  }
}

TEST_F(AppTest, ErrorsGoToStderrWithReasonAndField) {
  server_.get_model = [](const v1::GetModelRequest&, v1::Model&) {
    return DetailedError(grpc::StatusCode::NOT_FOUND, "there is no model 'm'", "MODEL_NOT_FOUND", "name");
  };
  EXPECT_EQ(Run({"model", "show", "m"}), 1);
  EXPECT_THAT(out_.str(), IsEmpty());
  EXPECT_EQ(error_.str(), "modelpatch: there is no model 'm'\n  NOT_FOUND, reason MODEL_NOT_FOUND\n  field name\n");
}

TEST_F(AppTest, ListsAllPages) {
  server_.list_models = [](const v1::ListModelsRequest& request, v1::ListModelsResponse& response) {
    const bool first = request.page_token().empty();
    response.add_models()->set_name(first ? "models/first" : "models/second");
    if (first) response.set_next_page_token("more");
    return grpc::Status::OK;
  };
  EXPECT_EQ(Run({"model", "list"}), 0);
  EXPECT_THAT(out_.str(), HasSubstr("first "));
  EXPECT_THAT(out_.str(), HasSubstr("second "));
  EXPECT_EQ(Run({"model", "list", "--output", "json"}), 0);
  EXPECT_THAT(out_.str(), HasSubstr("\"nextPageToken\":\"\""));
  EXPECT_THAT(out_.str(), HasSubstr("models/second"));
}

TEST_F(AppTest, MakesATaskOfOnePartOfTheClasses) {
  server_.create_task = [](const v1::CreateTaskRequest& request, v1::Task& response) {
    response = request.task();
    response.set_name("tasks/" + request.task_id());
    return grpc::Status::OK;
  };
  EXPECT_EQ(Run({"task", "create", "half", "--generator", "shapes", "--class-part", "1/2", "--class-seed", "7"}), 0);
  EXPECT_THAT(out_.str(), HasSubstr("part 1 of 2, seed 7"));
  EXPECT_THAT(out_.str(), HasSubstr("generated shapes, part 1/2"));
  EXPECT_EQ(Run({"task", "create", "all", "--generator", "shapes"}), 0);
  EXPECT_THAT(out_.str(), ::testing::Not(HasSubstr("part")));
  EXPECT_EQ(Run({"task", "create", "half", "--generator", "shapes", "--class-part", "half"}), 1);
}

TEST_F(AppTest, MakesATaskOfEachPartOfTheClasses) {
  std::vector<v1::CreateTaskRequest> requests;
  int limit = 3;
  server_.create_task = [&](const v1::CreateTaskRequest& request, v1::Task& response) {
    if (static_cast<int>(requests.size()) == limit) {
      return DetailedError(grpc::StatusCode::ALREADY_EXISTS, "there is one", "TASK_EXISTS", "task_id");
    }
    requests.push_back(request);
    response.set_name("tasks/" + request.task_id());
    return grpc::Status::OK;
  };
  EXPECT_EQ(Run({"task", "create", "c", "--generator", "shapes", "--class-parts", "3", "--class-seed", "5"}), 0);
  ASSERT_EQ(requests.size(), 3u);
  for (int part = 0; part < 3; ++part) {
    const v1::CreateTaskRequest& request = requests[static_cast<size_t>(part)];
    EXPECT_EQ(request.task_id(), "c-" + std::to_string(part));
    EXPECT_EQ(request.task().class_partition().parts(), 3);
    EXPECT_EQ(request.task().class_partition().part(), part);
    EXPECT_EQ(request.task().class_partition().seed(), 5);
    EXPECT_THAT(out_.str(), HasSubstr(request.task_id()));
  }
  limit = 5;  // two more
  EXPECT_EQ(Run({"task", "create", "d", "--generator", "shapes", "--class-parts", "3"}), 1);
  EXPECT_THAT(error_.str(), HasSubstr("there is one; 2 tasks were made before, from d-0 on"));
  EXPECT_THAT(error_.str(), HasSubstr("reason TASK_EXISTS"));
}

TEST_F(AppTest, JsonIsProto3WithDefaultsOnOneLine) {
  server_.import_model = [](const v1::ImportModelRequest& request, v1::Model& response) {
    response.set_name("models/" + request.model_id());
    response.set_source_path(request.path());
    return grpc::Status::OK;
  };
  EXPECT_EQ(Run({"--output", "json", "model", "import", "m", "some/dir"}), 0);
  EXPECT_THAT(out_.str(), HasSubstr("\"sourcePath\":\"some/dir\""));
  EXPECT_THAT(out_.str(), HasSubstr("\"imageSizePixels\":0"));
  EXPECT_EQ(out_.str().find('\n'), out_.str().size() - 1);
}

TEST_F(AppTest, ClassifySendsImagesClassesAndTheMixture) {
  v1::ClassifyRequest seen;
  server_.classify = [&](const v1::ClassifyRequest& request, v1::ClassifyResponse& response) {
    seen = request;
    v1::ClassScore& score = *response.add_results()->add_scores();
    score.set_class_name("a cat\033");
    score.set_probability(0.75);
    return grpc::Status::OK;
  };
  const modelpatch::testing::ScratchDirectory scratch;
  modelpatch::testing::WriteTestFile(scratch.Path("x.png"), "bytes");
  EXPECT_EQ(Run({"classify", "--checkpoint", "c", "--alpha", "0.25", "--class", "a cat", "--class", "a dog",
                 "--template", "my {c}", "--top-k", "1", scratch.Path("x.png")}),
            0)
      << error_.str();
  EXPECT_EQ(seen.mixture().model(), "");
  EXPECT_EQ(seen.mixture().terms(0).checkpoint(), "checkpoints/c");
  EXPECT_EQ(seen.mixture().terms(0).coefficient(), 0.25);
  EXPECT_EQ(seen.class_prompts().names().class_names_size(), 2);
  EXPECT_EQ(seen.class_prompts().names().templates(0), "my {c}");
  EXPECT_EQ(seen.top_k(), 1);
  EXPECT_EQ(seen.images(0).encoded(), "bytes");
  EXPECT_THAT(out_.str(), HasSubstr("a cat?"));
  EXPECT_THAT(out_.str(), HasSubstr("75.0%"));
  // Without --alpha it is 1, without --checkpoint there is no term.
  EXPECT_EQ(Run({"classify", "--checkpoint", "c", "--class", "a", scratch.Path("x.png")}), 0);
  EXPECT_EQ(seen.mixture().terms(0).coefficient(), 1);
  EXPECT_EQ(Run({"classify", "--model", "m", "--class", "a", scratch.Path("x.png")}), 0);
  EXPECT_EQ(seen.mixture().model(), "models/m");
  EXPECT_EQ(seen.mixture().terms_size(), 0);
  EXPECT_EQ(Run({"classify", "--model", "m", "--class", "a", scratch.Path("none.png")}), 1);
  EXPECT_THAT(error_.str(), HasSubstr("none.png"));
}

TEST_F(AppTest, WatchFailsIfTheJobDoes) {
  server_.watch_patch_job = [](const v1::WatchPatchJobRequest&, grpc::ServerWriter<v1::PatchJobEvent>& writer) {
    v1::PatchJobEvent event;
    event.set_number(1);
    event.mutable_progress()->set_step_id("fine-tune");
    writer.Write(event);
    event.set_number(2);
    event.mutable_state_change()->set_state(v1::PATCH_JOB_STATE_FAILED);
    writer.Write(event);
    return grpc::Status::OK;
  };
  server_.get_patch_job = [](const v1::GetPatchJobRequest& request, v1::PatchJob& job) {
    job.set_name(request.name());
    job.set_state(v1::PATCH_JOB_STATE_FAILED);
    job.mutable_error()->set_code(10);
    job.mutable_error()->set_message("the worker was killed by signal 9");
    return grpc::Status::OK;
  };
  EXPECT_EQ(Run({"job", "watch", "j"}), 1);
  EXPECT_THAT(error_.str(), HasSubstr("job FAILED"));
  EXPECT_THAT(error_.str(), HasSubstr("killed by signal 9\n  ABORTED"));
  EXPECT_THAT(out_.str(), HasSubstr("patchJobs/j"));
  // As JSON: one object for each event, then the job.
  EXPECT_EQ(Run({"--output", "json", "job", "watch", "j"}), 1);
  const std::string text = out_.str();
  EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 3);
  EXPECT_THAT(text, HasSubstr("\"stateChange\""));
}

TEST_F(AppTest, SweepPrintsTableAndSummary) {
  server_.sweep = [](const v1::SweepRequest& request, grpc::ServerWriter<v1::SweepResponse>& writer) {
    for (const double alpha : request.alphas()) {
      v1::SweepResponse response;
      response.mutable_point()->set_alpha(alpha);
      v1::TaskAccuracy& accuracy = *response.mutable_point()->add_accuracies();
      accuracy.set_task(request.patching_tasks(0));
      accuracy.set_role(v1::TASK_ROLE_PATCHING);
      accuracy.set_accuracy(alpha / 2);
      writer.Write(response);
    }
    v1::SweepResponse response;
    response.mutable_summary()->set_split(request.split());
    response.mutable_summary()->set_best_mean_alpha(1);
    response.mutable_summary()->set_best_mean_accuracy(0.5);
    writer.Write(response);
    return grpc::Status::OK;
  };
  EXPECT_EQ(Run({"sweep", "--checkpoint", "c", "--patch-task", "digits", "--alphas", "0:1:0.5", "--split", "test"}), 0);
  EXPECT_THAT(out_.str(), HasSubstr("digits (patching)"));
  EXPECT_THAT(out_.str(), HasSubstr("25.0%"));
  EXPECT_THAT(out_.str(), HasSubstr("on test data the mean is best at α = 1: 50.0%"));
  EXPECT_EQ(Run({"--output", "json", "sweep", "--checkpoint", "c", "--patch-task", "t", "--alphas", "0,1"}), 0);
  const std::string text = out_.str();
  EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 3);
  EXPECT_THAT(text, HasSubstr("\"summary\""));
}

TEST_F(AppTest, BenchMeasuresClassify) {
  std::atomic<int> calls = 0;
  server_.classify = [&](const v1::ClassifyRequest& request, v1::ClassifyResponse&) {
    ++calls;
    EXPECT_EQ(request.class_prompts().names().class_names_size(), 10);
    EXPECT_EQ(request.images_size(), 1);
    return grpc::Status::OK;
  };
  const std::vector<std::string> line = {"bench", "--model", "m",  "--duration", "0.1", "--warmup",
                                         "0",     "--width", "16", "--height",   "16",  "--distinct-images",
                                         "1"};
  auto closed = line;
  closed.insert(closed.end(), {"--clients", "2"});
  EXPECT_EQ(Run(closed), 0) << error_.str();
  EXPECT_THAT(out_.str(), HasSubstr("2 clients"));
  EXPECT_THAT(out_.str(), HasSubstr("p99"));
  EXPECT_GT(calls, 1);
  auto open = line;
  open.insert(open.end(), {"--rate", "500", "--output", "json"});
  EXPECT_EQ(Run(open), 0) << error_.str();
  EXPECT_THAT(out_.str(), HasSubstr("\"codes\":{\"OK\":"));
  auto both = closed;
  both.insert(both.end(), {"--rate", "1"});
  EXPECT_EQ(Run(both), 2);
}

TEST_F(AppTest, BenchTellsWhatIsWrongBeforeTheLoad) {
  int calls = 0;
  server_.classify = [&](const v1::ClassifyRequest&, v1::ClassifyResponse&) {
    ++calls;
    return DetailedError(grpc::StatusCode::NOT_FOUND, "there is no model 'm'", "MODEL_NOT_FOUND", "mixture.model");
  };
  EXPECT_EQ(Run({"bench", "--model", "m", "--width", "16", "--height", "16"}), 1);
  EXPECT_THAT(error_.str(), HasSubstr("MODEL_NOT_FOUND"));
  EXPECT_EQ(calls, 1);
}

TEST(AppWithoutServerTest, SaysHowToNameOne) {
  std::ostringstream out;
  std::ostringstream error;
  const std::vector<const char*> arguments = {"modelpatch", "--server", "127.0.0.1:1", "model", "list"};
  EXPECT_EQ(RunApp(static_cast<int>(arguments.size()), arguments.data(), out, error), 1);
  EXPECT_THAT(error.str(), HasSubstr("is modelpatch-server running at 127.0.0.1:1?"));
}

TEST(DemoTest, FailsCleanlyWithoutAServerBinary) {
  const modelpatch::testing::ScratchDirectory scratch;
  std::ostringstream out;
  std::ostringstream error;
  const std::vector<const char*> arguments = {
      "modelpatch", "demo", "--server-binary", "/nowhere/modelpatch-server", "--model-dir", scratch.path().c_str()};
  EXPECT_EQ(RunApp(static_cast<int>(arguments.size()), arguments.data(), out, error), 1);
  EXPECT_THAT(error.str(), HasSubstr("/nowhere/modelpatch-server"));
}

}  // namespace
}  // namespace modelpatch::client
