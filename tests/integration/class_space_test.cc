// Which classes examples are told apart from: candidates of their own, or one part of a data set's classes.

#include <algorithm>
#include <filesystem>
#include <functional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "tests/integration/end_to_end.h"

namespace modelpatch::testing {
namespace {

namespace fs = std::filesystem;
using grpc::StatusCode;
using ::testing::HasSubstr;

class ClassSpaceTest : public EndToEnd {
 protected:
  void SetUp() override {
    StartServer();
    if (HasFatalFailure()) return;
    ImportModelAndTasks();
  }

  grpc::Status CreateTask(const std::string& id, const v1::Task& task, v1::Task* made = nullptr) {
    grpc::ClientContext context;
    v1::CreateTaskRequest request;
    request.set_task_id(id);
    *request.mutable_task() = task;
    v1::Task ignored;
    return stubs_->tasks->CreateTask(&context, request, made == nullptr ? &ignored : made);
  }
  grpc::Status DeleteTask(const std::string& id) {
    grpc::ClientContext context;
    v1::DeleteTaskRequest request;
    request.set_name("tasks/" + id);
    google::protobuf::Empty empty;
    return stubs_->tasks->DeleteTask(&context, request, &empty);
  }
  v1::TaskAccuracy Evaluate(const std::string& id) {
    grpc::ClientContext context;
    v1::EvaluateRequest request;
    request.mutable_mixture()->set_model("models/tiny");
    request.add_tasks("tasks/" + id);
    v1::EvaluateResponse response;
    EXPECT_THAT(stubs_->evaluation->Evaluate(&context, request, &response), Succeeds());
    return response.accuracies_size() == 1 ? response.accuracies(0) : v1::TaskAccuracy();
  }
  // The class names, best first.
  std::vector<std::string> Ranked(const std::string& image) {
    v1::ClassifyRequest request;
    request.mutable_mixture()->set_model("models/tiny");
    for (const char* name : kColors) request.mutable_class_prompts()->mutable_names()->add_class_names(name);
    request.add_images()->set_encoded(image);
    v1::ClassifyResponse response;
    EXPECT_THAT(Classify(request, &response), Succeeds());
    std::vector<std::string> ranked;
    for (const auto& score : response.results(0).scores()) ranked.push_back(score.class_name());
    return ranked;
  }

  void WriteImport(const std::string& name, const std::string& content) const {
    WriteTestFile(import_root() + "/" + name, content);
  }
  static v1::Task JsonLines(const std::string& path) {
    v1::Task task;
    task.mutable_files()->set_format(v1::TASK_FORMAT_JSON_LINES);
    task.mutable_files()->set_test_path(path);
    return task;
  }
  static std::string Line(const std::string& image, const std::string& first, const std::string& second, int answer) {
    return fmt::format(R"({{"image": "{}", "candidates": ["{}", "{}"], "answer": {}}})", image, first, second, answer) +
           "\n";
  }
  int64_t CountIn(const char* folder) const {
    return std::distance(fs::directory_iterator(data_dir() + "/" + folder), fs::directory_iterator());
  }

  static constexpr const char* kColors[] = {"a red", "a green", "a blue", "a black"};
};

TEST_F(ClassSpaceTest, AnExampleIsOneOfItsCandidatesWhateverElseScoresHigher) {
  // Each image's two worst classes are its candidates: the best of all classes is never among them.
  std::string right;
  std::string wrong;
  std::string all_classes;
  for (int i = 0; i < 6; ++i) {
    const std::string png = MakePng(20, 16, static_cast<uint8_t>(40 * i), static_cast<uint8_t>(255 - 30 * i), 90);
    const std::string name = fmt::format("images/{}.png", i);
    WriteImport("pairs/" + name, png);
    const std::vector<std::string> ranked = Ranked(png);
    ASSERT_EQ(ranked.size(), 4u);
    right += Line(name, ranked[3], ranked[2], 1);
    wrong += Line(name, ranked[3], ranked[2], 0);
    all_classes += fmt::format(R"({{"image": "{}", "candidates": ["{}", "{}", "{}", "{}"], "answer": "{}"}})", name,
                               kColors[0], kColors[1], kColors[2], kColors[3], ranked[2]) +
                   "\n";
  }
  WriteImport("pairs/right.jsonl", right);
  WriteImport("pairs/wrong.jsonl", wrong);
  WriteImport("pairs/all.jsonl", all_classes);
  v1::Task made;
  ASSERT_THAT(CreateTask("right", JsonLines("pairs/right.jsonl"), &made), Succeeds());
  EXPECT_EQ(made.test_examples(), 6);
  EXPECT_GE(made.class_names_size(), 2);
  EXPECT_EQ(made.templates_size(), 1);
  ASSERT_THAT(CreateTask("wrong", JsonLines("pairs/wrong.jsonl")), Succeeds());
  ASSERT_THAT(CreateTask("all", JsonLines("pairs/all.jsonl")), Succeeds());
  // The server has copies of its own.
  fs::remove_all(import_root() + "/pairs");
  EXPECT_EQ(Evaluate("right").correct(), 6);
  EXPECT_EQ(Evaluate("right").total(), 6);
  EXPECT_EQ(Evaluate("wrong").correct(), 0);
  EXPECT_EQ(Evaluate("all").correct(), 0);
}

TEST_F(ClassSpaceTest, PartsOfAPartitionShareTheirFiles) {
  std::set<std::string> names;
  std::set<std::string> digests;
  v1::Task folders;
  folders.mutable_files()->set_format(v1::TASK_FORMAT_IMAGE_FOLDER);
  folders.mutable_files()->set_train_path("photos");
  folders.mutable_files()->set_test_path("photos");
  folders.mutable_files()->set_validation_fraction(0.5);
  for (const char* name : {"red", "green", "blue"}) {
    for (const char* file : {"1.png", "2.png"}) {
      WriteImport(fmt::format("photos/{}/{}", name, file), MakePng(8, 8, static_cast<uint8_t>(name[0]), 0, 0));
    }
  }
  for (int part = 0; part < 2; ++part) {
    folders.mutable_class_partition()->set_parts(2);
    folders.mutable_class_partition()->set_part(part);
    folders.mutable_class_partition()->set_seed(3);
    v1::Task made;
    ASSERT_THAT(CreateTask(fmt::format("half-{}", part), folders, &made), Succeeds());
    EXPECT_EQ(made.class_names_size(), 2 - part);
    EXPECT_EQ(made.test_examples(), 2 * made.class_names_size());
    EXPECT_EQ(made.train_examples(), made.class_names_size());
    EXPECT_EQ(made.class_partition().part(), part);
    EXPECT_EQ(made.class_partition().seed(), 3);
    names.insert(made.class_names().begin(), made.class_names().end());
    digests.insert(made.digest());
  }
  EXPECT_EQ(names, (std::set<std::string>{"red", "green", "blue"}));
  EXPECT_EQ(digests.size(), 2u);
  EXPECT_EQ(CountIn("tasks"), 1);
  EXPECT_EQ(Evaluate("half-0").total(), 4);
  EXPECT_THAT(DeleteTask("half-0"), Succeeds());
  EXPECT_EQ(Evaluate("half-1").total(), 2);
  EXPECT_THAT(DeleteTask("half-1"), Succeeds());
  EXPECT_EQ(CountIn("tasks"), 0);
}

TEST_F(ClassSpaceTest, BadClassSpacesAreRefusedWithTheirField) {
  WriteImport("bad/1.png", MakePng(8, 8, 1, 2, 3));
  WriteImport("bad/no.png", "not an image");
  WriteImport("bad/none.jsonl", R"({"image": "1.png", "candidates": [], "answer": 0})");
  WriteImport("bad/missing.jsonl", Line("1.png", "a", "b", 0) + Line("2.png", "a", "b", 0));
  WriteImport("bad/outside.jsonl", Line("../1.png", "a", "b", 0));
  WriteImport("bad/answer.jsonl", std::string(1, '\n') + Line("1.png", "a", "b", 2));
  WriteImport("bad/no.jsonl", Line("1.png", "a", "b", 1) + Line("no.png", "a", "b", 1));
  WriteImport("bad/good.jsonl", Line("1.png", "a", "b", 1));
  struct Case {
    v1::Task task;
    StatusCode code;
    std::string reason;
    std::string field;
    std::string message;
  };
  const std::string test_path = "task.files.test_path";
  const StatusCode invalid = StatusCode::INVALID_ARGUMENT;
  std::vector<Case> cases = {
      {JsonLines("bad/none.jsonl"), invalid, "EXAMPLE_WITHOUT_CANDIDATES", test_path, "bad/none.jsonl: line 1"},
      {JsonLines("bad/missing.jsonl"), StatusCode::NOT_FOUND, "FILE_NOT_FOUND", test_path, "line 2"},
      {JsonLines("bad/outside.jsonl"), invalid, "BAD_IMAGE_PATH", test_path, "line 1"},
      {JsonLines("bad/answer.jsonl"), invalid, "ANSWER_NOT_A_CANDIDATE", test_path, "line 2"},
      {JsonLines("bad/no.jsonl"), invalid, "IMAGE_UNKNOWN_FORMAT", test_path, "bad/no.jsonl: line 2: no.png"},
      {JsonLines("bad"), invalid, "NOT_A_REGULAR_FILE", test_path, "bad"}};
  const auto add = [&](v1::Task task, const std::function<void(v1::Task&)>& spoil, const std::string& reason,
                       const std::string& field) {
    spoil(task);
    cases.push_back({std::move(task), invalid, reason, field, ""});
  };
  const v1::Task good = JsonLines("bad/good.jsonl");
  add(
      good, [](v1::Task& task) { task.add_templates("a {c}"); }, "TEMPLATES_NOT_ALLOWED", "task.templates");
  add(
      good, [](v1::Task& task) { task.add_class_names("a"); }, "UNEXPECTED_FIELD", "task.class_names");
  add(
      good, [](v1::Task& task) { task.mutable_class_partition()->set_parts(2); }, "BAD_CLASS_PARTITION",
      "task.class_partition.parts");
  v1::Task shapes;
  shapes.mutable_generator()->set_generator("shapes");
  shapes.mutable_generator()->set_test_examples(20);
  for (const int parts : {0, 1, -2, 11}) {
    add(
        shapes, [parts](v1::Task& task) { task.mutable_class_partition()->set_parts(parts); }, "BAD_CLASS_PARTITION",
        "task.class_partition.parts");
  }
  for (const int part : {-1, 2}) {
    add(
        shapes,
        [part](v1::Task& task) {
          task.mutable_class_partition()->set_parts(2);
          task.mutable_class_partition()->set_part(part);
        },
        "BAD_CLASS_PARTITION", "task.class_partition.part");
  }
  for (const Case& bad : cases) {
    const grpc::Status status = CreateTask("bad", bad.task);
    EXPECT_THAT(status, AnswersWith(bad.code, bad.reason));
    EXPECT_EQ(FieldOf(status), bad.field) << status.error_message();
    EXPECT_THAT(status.error_message(), HasSubstr(bad.message));
    EXPECT_EQ(status.error_message().find(scratch_.path()), std::string::npos) << status.error_message();
  }
  EXPECT_EQ(CountIn("tasks"), 0);
  EXPECT_EQ(CountIn("staging"), 0);
  EXPECT_THAT(CreateTask("good", good), Succeeds());
}

}  // namespace
}  // namespace modelpatch::testing
