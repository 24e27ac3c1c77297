// What bad input gets: the right code and reason, nothing half-written, and a server that lives on.

#include <cmath>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <functional>
#include <limits>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "tests/integration/end_to_end.h"
#include "tests/support/torch_archive_writer.h"

namespace modelpatch::testing {
namespace {

namespace fs = std::filesystem;
using grpc::StatusCode;
using Json = nlohmann::ordered_json;

std::string ReadAll(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

// A safetensors file with its header edited; its length field says what the header's length is.
std::string WithHeader(const std::string& file, const std::function<void(Json&)>& edit) {
  uint64_t size = 0;
  std::memcpy(&size, file.data(), sizeof size);
  Json header = Json::parse(file.substr(sizeof size, size));
  edit(header);
  const std::string text = header.dump();
  const uint64_t new_size = text.size();
  return std::string(reinterpret_cast<const char*>(&new_size), sizeof new_size) + text +
         file.substr(sizeof size + size);
}

std::string WithLength(std::string file, uint64_t length) {
  std::memcpy(file.data(), &length, sizeof length);
  return file;
}

class BadInputTest : public EndToEnd {
 protected:
  void SetUp() override {
    StartServer();
    if (HasFatalFailure()) return;
    ImportModelAndTasks();
  }
  void TearDown() override {
    if (server_ != nullptr && !HasFatalFailure()) ExpectServerAlive();
    EndToEnd::TearDown();
  }

  grpc::Status Import(const std::string& path, const std::string& id = "broken") {
    v1::ImportModelRequest request;
    request.set_model_id(id);
    request.set_path(path);
    grpc::ClientContext context;
    v1::Model model;
    return stubs_->models->ImportModel(&context, request, &model);
  }

  grpc::Status CreateTask(const v1::Task& task, const std::string& id = "broken") {
    v1::CreateTaskRequest request;
    request.set_task_id(id);
    *request.mutable_task() = task;
    grpc::ClientContext context;
    v1::Task response;
    return stubs_->tasks->CreateTask(&context, request, &response);
  }

  int64_t CountIn(const char* folder) const {
    return std::distance(fs::directory_iterator(data_dir() + "/" + folder), fs::directory_iterator());
  }
};

TEST_F(BadInputTest, ClassifyRefusesEveryBadRequest) {
  const auto names = [](v1::ClassifyRequest& request) {
    return request.mutable_class_prompts()->mutable_names()->mutable_class_names();
  };
  const auto image = [](std::string bytes) {
    return [bytes = std::move(bytes)](v1::ClassifyRequest& request) { request.mutable_images(0)->set_encoded(bytes); };
  };
  const auto model = [](std::string name) {
    return [name = std::move(name)](v1::ClassifyRequest& request) { request.mutable_mixture()->set_model(name); };
  };
  const std::string png = MakePng(16, 16, 1, 2, 3);
  const struct {
    const char* what;
    std::function<void(v1::ClassifyRequest&)> spoil;
    StatusCode code;
    const char* reason;
  } cases[] = {
      {"no class prompts", [](auto& r) { r.clear_class_prompts(); }, StatusCode::INVALID_ARGUMENT, "NO_CLASSES"},
      {"an empty class list", [&](auto& r) { names(r)->Clear(); }, StatusCode::INVALID_ARGUMENT, "NO_CLASSES"},
      {"an empty class name", [&](auto& r) { *names(r)->Add() = ""; }, StatusCode::INVALID_ARGUMENT,
       "EMPTY_CLASS_NAME"},
      {"a duplicate class", [&](auto& r) { *names(r)->Add() = "red"; }, StatusCode::INVALID_ARGUMENT,
       "DUPLICATE_CLASS_NAME"},
      {"10,001 classes",
       [&](auto& r) {
         names(r)->Clear();
         for (int i = 0; i < 10'001; ++i) *names(r)->Add() = std::to_string(i);
       },
       StatusCode::INVALID_ARGUMENT, "TOO_MANY_CLASSES"},
      {"a prompt of 8,193 bytes", [&](auto& r) { *names(r)->Add() = std::string(8193, 'x'); },
       StatusCode::INVALID_ARGUMENT, "PROMPT_TOO_LONG"},
      {"a template without {c}", [](auto& r) { r.mutable_class_prompts()->mutable_names()->add_templates("x"); },
       StatusCode::INVALID_ARGUMENT, "TEMPLATE_WITHOUT_CLASS"},
      {"a negative top_k", [](auto& r) { r.set_top_k(-1); }, StatusCode::INVALID_ARGUMENT, "BAD_TOP_K"},
      {"no image", [](auto& r) { r.clear_images(); }, StatusCode::INVALID_ARGUMENT, "NO_IMAGES"},
      {"an image without data", [](auto& r) { r.mutable_images(0)->Clear(); }, StatusCode::INVALID_ARGUMENT,
       "IMAGE_EMPTY"},
      {"an image of no bytes", image(""), StatusCode::INVALID_ARGUMENT, "IMAGE_EMPTY"},
      {"a truncated image", image(png.substr(0, png.size() / 2)), StatusCode::INVALID_ARGUMENT, "IMAGE_TRUNCATED"},
      {"no image at all", image("this is a letter, and no image"), StatusCode::INVALID_ARGUMENT,
       "IMAGE_UNKNOWN_FORMAT"},
      {"60,000 x 60,000 pixels", image("P6\n60000 60000\n255\n"), StatusCode::INVALID_ARGUMENT, "IMAGE_TOO_LARGE"},
      {"a tensor of another size", [](auto& r) { r.mutable_images(0)->set_tensor(std::string(12, '\0')); },
       StatusCode::INVALID_ARGUMENT, "BAD_IMAGE_TENSOR"},
      {"no model and no term", [](auto& r) { r.clear_mixture(); }, StatusCode::INVALID_ARGUMENT,
       "MIXTURE_WITHOUT_MODEL"},
      {"an unknown model", model("models/unknown"), StatusCode::NOT_FOUND, "MODEL_NOT_FOUND"},
      {"a name without its collection", model("tiny"), StatusCode::INVALID_ARGUMENT, "BAD_RESOURCE_NAME"},
      {"a name with a slash", model("models/a/b"), StatusCode::INVALID_ARGUMENT, "BAD_RESOURCE_ID"},
      {"a name with ..", model("models/.."), StatusCode::INVALID_ARGUMENT, "BAD_RESOURCE_ID"},
      {"a name with NUL", model(std::string("models/a\0b", 10)), StatusCode::INVALID_ARGUMENT, "BAD_RESOURCE_ID"},
      {"a name of 10 kB", model("models/" + std::string(10'000, 'a')), StatusCode::INVALID_ARGUMENT, "BAD_RESOURCE_ID"},
      {"an unknown checkpoint",
       [](auto& r) { r.mutable_mixture()->add_terms()->set_checkpoint("checkpoints/unknown"); }, StatusCode::NOT_FOUND,
       "CHECKPOINT_NOT_FOUND"},
      {"invalid UTF-8", [&](auto& r) { *names(r)->Add() = "\xc3\x28"; }, StatusCode::INVALID_ARGUMENT,
       "MALFORMED_REQUEST"},
  };
  for (const auto& one : cases) {
    v1::ClassifyRequest request = ClassifyRequestAt("", 0);
    one.spoil(request);
    EXPECT_THAT(Classify(request), AnswersWith(one.code, one.reason)) << one.what;
  }
  v1::ClassifyRequest second = ClassifyRequestAt("", 0);
  second.add_images()->set_encoded("x");
  EXPECT_EQ(FieldOf(Classify(second)).rfind("images[1]", 0), 0u) << FieldOf(Classify(second));
  EXPECT_THAT(Classify(ClassifyRequestAt("", 0)), Succeeds());
}

TEST_F(BadInputTest, TheLimitsThemselvesAreValid) {
  v1::ClassifyRequest request = ClassifyRequestAt("", 0);
  auto* names = request.mutable_class_prompts()->mutable_names();
  names->clear_class_names();
  names->add_class_names(std::string(8192, 'x'));
  names->add_class_names("short");
  v1::ClassifyResponse response;
  EXPECT_THAT(Classify(request, &response), Succeeds());
  EXPECT_EQ(response.truncated_prompt_count(), 1);
  names->clear_class_names();
  for (int i = 0; i < 10'000; ++i) names->add_class_names(std::to_string(i));
  request.set_top_k(3);
  EXPECT_THAT(Classify(request, &response), Succeeds());
  EXPECT_EQ(response.results(0).scores_size(), 3);
}

TEST_F(BadInputTest, CoefficientsAndModelsOfMixturesAreChecked) {
  ASSERT_THAT(Submit(JobRequest("job", 1)), Succeeds());
  ASSERT_EQ(WaitForJob("job").state(), v1::PATCH_JOB_STATE_SUCCEEDED);
  for (const double alpha : {-0.1, 1.1, std::nan(""), std::numeric_limits<double>::infinity()}) {
    EXPECT_THAT(Classify(ClassifyRequestAt("checkpoints/job", alpha)),
                AnswersWith(StatusCode::INVALID_ARGUMENT, "BAD_COEFFICIENT"))
        << alpha;
  }
  EXPECT_EQ(FieldOf(Classify(ClassifyRequestAt("checkpoints/job", 2))), "mixture.terms[0].coefficient");
  v1::ClassifyRequest beyond = ClassifyRequestAt("checkpoints/job", 1.5);
  beyond.mutable_mixture()->set_allow_extrapolation(true);
  EXPECT_THAT(Classify(beyond), Succeeds());
  beyond.mutable_mixture()->mutable_terms(0)->set_coefficient(std::nan(""));
  EXPECT_THAT(Classify(beyond), AnswersWith(StatusCode::INVALID_ARGUMENT, "BAD_COEFFICIENT"));

  WriteTinyModel(import_root() + "/other", /*seed=*/2);
  ASSERT_THAT(Import("other", "other"), Succeeds());
  v1::ClassifyRequest foreign = ClassifyRequestAt("checkpoints/job", 0.5);
  foreign.mutable_mixture()->set_model("models/other");
  EXPECT_THAT(Classify(foreign), AnswersWith(StatusCode::FAILED_PRECONDITION, "CHECKPOINT_OF_ANOTHER_MODEL"));

  v1::SweepRequest sweep;
  *sweep.mutable_end() = ClassifyRequestAt("checkpoints/job", 1).mixture();
  sweep.mutable_start()->set_model("models/other");
  sweep.add_patching_tasks("tasks/colors");
  const auto sweep_status = [&] {
    grpc::ClientContext context;
    const auto reader = stubs_->evaluation->Sweep(&context, sweep);
    v1::SweepResponse response;
    while (reader->Read(&response)) {
    }
    return reader->Finish();
  };
  EXPECT_THAT(sweep_status(), AnswersWith(StatusCode::INVALID_ARGUMENT, "MIXTURES_OF_TWO_MODELS"));
  sweep.clear_start();
  sweep.add_alphas(std::nan(""));
  EXPECT_THAT(sweep_status(), AnswersWith(StatusCode::INVALID_ARGUMENT, "BAD_ALPHA"));
  sweep.clear_alphas();
  sweep.set_patching_tasks(0, "tasks/unknown");
  EXPECT_THAT(sweep_status(), AnswersWith(StatusCode::NOT_FOUND, "TASK_NOT_FOUND"));
  sweep.clear_patching_tasks();
  EXPECT_THAT(sweep_status(), AnswersWith(StatusCode::INVALID_ARGUMENT, "NO_TASKS"));

  v1::InterpolateRequest interpolate;
  interpolate.set_checkpoint_id("../x");
  grpc::ClientContext context;
  v1::Checkpoint checkpoint;
  EXPECT_THAT(stubs_->checkpoints->Interpolate(&context, interpolate, &checkpoint),
              AnswersWith(StatusCode::INVALID_ARGUMENT, "BAD_RESOURCE_ID"));
  grpc::ClientContext second_context;
  interpolate.set_checkpoint_id("x");
  interpolate.mutable_mixture()->set_model("models/tiny");
  EXPECT_THAT(stubs_->checkpoints->Interpolate(&second_context, interpolate, &checkpoint),
              AnswersWith(StatusCode::INVALID_ARGUMENT, "NO_TERMS"));
  // A model with checkpoints stays.
  grpc::ClientContext delete_context;
  v1::DeleteModelRequest erase;
  erase.set_name("models/tiny");
  google::protobuf::Empty empty;
  EXPECT_THAT(stubs_->models->DeleteModel(&delete_context, erase, &empty),
              AnswersWith(StatusCode::FAILED_PRECONDITION, "RESOURCE_IN_USE"));
}

TEST_F(BadInputTest, BrokenModelsAreRefusedAndLeaveNothing) {
  const std::string good = ReadAll(import_root() + "/tiny/model.safetensors");
  const std::string config = ReadAll(import_root() + "/tiny/config.json");
  const std::string logit_scale = "logit_scale";
  const auto with_nan = [&] {
    std::string file = good;
    const float nan = std::nanf("");
    std::memcpy(file.data() + file.size() - sizeof nan, &nan, sizeof nan);
    return file;
  };
  const struct {
    const char* what;
    std::string file;
    std::string content;
    // The start of the reason: parsers have reasons of their own.
    const char* reason;
  } cases[] = {
      {"truncated weights", "model.safetensors", good.substr(0, good.size() / 2), "SAFETENSORS_"},
      {"no weights", "model.safetensors", "", "SAFETENSORS_"},
      {"a header of 2^63 bytes", "model.safetensors", WithLength(good, uint64_t{1} << 63), "SAFETENSORS_"},
      {"a header longer than the file", "model.safetensors", WithLength(good, good.size()), "SAFETENSORS_"},
      {"a header that is no JSON", "model.safetensors", good.substr(0, 8) + std::string(good.size() - 8, 'x'),
       "SAFETENSORS_"},
      {"offsets beyond the data", "model.safetensors",
       WithHeader(good,
                  [&](Json& header) {
                    header[logit_scale]["data_offsets"] = {good.size(), good.size() + 4};
                  }),
       "SAFETENSORS_"},
      {"a tensor missing, another too many", "model.safetensors",
       WithHeader(good,
                  [&](Json& header) {
                    header["unexpected"] = header[logit_scale];
                    header.erase(logit_scale);
                  }),
       "MODEL_TENSORS_MISMATCH"},
      {"a tensor of the wrong shape", "model.safetensors",
       WithHeader(good,
                  [](Json& header) {
                    auto& shape = header["visual_projection.weight"]["shape"];
                    shape = Json::array({shape[1], shape[0]});
                  }),
       "MODEL_TENSORS_MISMATCH"},
      {"NaN in a tensor", "model.safetensors", with_nan(), "MODEL_TENSOR_NOT_FINITE"},
      {"a config that contradicts the weights", "config.json",
       [&] {
         Json json = Json::parse(config);
         json["vision_config"]["num_hidden_layers"] = 3;
         return json.dump();
       }(),
       "MODEL_TENSORS_MISMATCH"},
      {"a config that is no JSON", "config.json", "{", "MODEL_CONFIG_"},
      {"a vocabulary that does not match", "config.json",
       [&] {
         Json json = Json::parse(config);
         json["text_config"]["vocab_size"] = json["text_config"]["vocab_size"].get<int>() + 1;
         return json.dump();
       }(),
       "MODEL_VOCABULARY_MISMATCH"},
      {"a vocabulary that is none", "vocab.json", "[]", "VOCABULARY_"},
      {"merges that are none", "merges.txt", "a b c d\n", "MERGES_"},
  };
  for (const auto& one : cases) {
    fs::remove_all(import_root() + "/broken");
    fs::copy(import_root() + "/tiny", import_root() + "/broken");
    WriteTestFile(import_root() + "/broken/" + one.file, one.content);
    const grpc::Status status = Import("broken");
    EXPECT_EQ(status.error_code(), StatusCode::INVALID_ARGUMENT) << one.what << ": " << status.error_message();
    EXPECT_EQ(ReasonOf(status).rfind(one.reason, 0), 0u)
        << one.what << ": " << ReasonOf(status) << ": " << status.error_message();
    EXPECT_EQ(FieldOf(status).rfind("path", 0), 0u) << one.what;
    EXPECT_EQ(status.error_message().find("staging"), std::string::npos) << status.error_message();
  }
  fs::remove(import_root() + "/broken/vocab.json");
  EXPECT_THAT(Import("broken"), AnswersWith(StatusCode::INVALID_ARGUMENT, "MODEL_FILE_MISSING"));
  EXPECT_EQ(CountIn("models"), 1);
  EXPECT_EQ(CountIn("staging"), 0);
  grpc::ClientContext context;
  v1::ListModelsResponse models;
  ASSERT_THAT(stubs_->models->ListModels(&context, {}, &models), Succeeds());
  EXPECT_EQ(models.models_size(), 1);
}

TEST_F(BadInputTest, BrokenLayoutsAreRefusedAndLeaveNothing) {
  const std::string good = ReadAll(import_root() + "/tiny/model.safetensors");
  const struct {
    const char* what;
    std::string file;  // beside vocab.json and merges.txt
    std::string content;
    const char* reason;
  } cases[] = {
      {"Hugging Face's names without a config", "model.safetensors", good, "MODEL_FILE_MISSING"},
      {"a state dict that is none", "weights.safetensors",
       WithHeader(good,
                  [](Json& header) {
                    header["x"] = header["logit_scale"];
                    header.erase("logit_scale");
                  }),
       "MODEL_"},
      {"a pickle that calls a function", "weights.pt",
       StoredZip({{"archive/data.pkl",
                   "\x80\x02"
                   "cposix\nsystem\nX\x04" +
                       std::string(3, '\0') + "true\x85R."}}),
       "PICKLE_GLOBAL_REFUSED"},
      {"a zip archive that is cut", "weights.pt", StoredZip({{"archive/data.pkl", "\x80\x02}."}}).substr(0, 60),
       "ZIP_CORRUPT"},
      {"no zip archive", "pytorch_model.bin", "text", "TORCH_ARCHIVE_INVALID"},
      {"an OpenCLIP config that is none", "open_clip_config.json", "[]", "MODEL_FILE_MISSING"},
  };
  for (const auto& one : cases) {
    fs::remove_all(import_root() + "/broken");
    fs::create_directory(import_root() + "/broken");
    for (const char* file : {"vocab.json", "merges.txt"}) {
      fs::copy_file(import_root() + "/tiny/" + file, import_root() + "/broken/" + file);
    }
    WriteTestFile(import_root() + "/broken/" + one.file, one.content);
    const grpc::Status status = Import("broken");
    EXPECT_EQ(status.error_code(), StatusCode::INVALID_ARGUMENT) << one.what << ": " << status.error_message();
    EXPECT_EQ(ReasonOf(status).rfind(one.reason, 0), 0u)
        << one.what << ": " << ReasonOf(status) << ": " << status.error_message();
    EXPECT_EQ(status.error_message().find("staging"), std::string::npos) << status.error_message();
  }
  EXPECT_EQ(CountIn("models"), 1);
  EXPECT_EQ(CountIn("staging"), 0);
}

TEST_F(BadInputTest, AnIndexThatPointsElsewhereIsRefused) {
  fs::copy(import_root() + "/tiny", import_root() + "/broken");
  fs::remove(import_root() + "/broken/model.safetensors");
  const auto import_with = [&](const std::string& file) {
    WriteTestFile(import_root() + "/broken/model.safetensors.index.json",
                  Json{{"weight_map", {{"logit_scale", file}}}}.dump());
    return Import("broken");
  };
  EXPECT_THAT(import_with("../tiny/model.safetensors"),
              AnswersWith(StatusCode::INVALID_ARGUMENT, "WEIGHT_INDEX_INVALID"));
  EXPECT_THAT(import_with("absent.safetensors"), AnswersWith(StatusCode::INVALID_ARGUMENT, "MODEL_FILE_MISSING"));
  fs::create_symlink("/etc/passwd", import_root() + "/broken/link.safetensors");
  EXPECT_THAT(import_with("link.safetensors"), AnswersWith(StatusCode::PERMISSION_DENIED, "PATH_OUTSIDE_ROOTS"));
  EXPECT_EQ(CountIn("staging"), 0);
}

TEST_F(BadInputTest, PathsMustLieBelowARoot) {
  WriteTinyModel(scratch_.Path("outside/model"));
  fs::create_directory_symlink(scratch_.Path("outside/model"), import_root() + "/link");
  fs::create_directory(import_root() + "/half");
  for (const auto& entry : fs::directory_iterator(scratch_.Path("outside/model"))) {
    fs::create_symlink(entry.path(), import_root() + "/half/" + entry.path().filename().string());
  }
  for (const std::string& path : {scratch_.Path("outside/model"), std::string("../outside/model"), std::string("link"),
                                  std::string("half"), std::string("/etc")}) {
    EXPECT_THAT(Import(path), AnswersWith(StatusCode::PERMISSION_DENIED, "PATH_OUTSIDE_ROOTS")) << path;
  }
  EXPECT_THAT(Import("not-there"), AnswersWith(StatusCode::NOT_FOUND, "FILE_NOT_FOUND"));
  EXPECT_THAT(Import("tiny/config.json"), AnswersWith(StatusCode::INVALID_ARGUMENT, "NOT_A_DIRECTORY"));
  EXPECT_THAT(Import(""), AnswersWith(StatusCode::INVALID_ARGUMENT, "BAD_PATH"));
  EXPECT_THAT(Import(std::string("a\0b", 3)), AnswersWith(StatusCode::INVALID_ARGUMENT, "BAD_PATH"));
  for (const std::string& id :
       {std::string(""), std::string("a/b"), std::string(".."), std::string("a\0b", 3), std::string(10'000, 'a')}) {
    EXPECT_THAT(Import("tiny", id), AnswersWith(StatusCode::INVALID_ARGUMENT, "BAD_RESOURCE_ID"));
  }
  EXPECT_THAT(Import("tiny", "tiny"), AnswersWith(StatusCode::ALREADY_EXISTS, "RESOURCE_ALREADY_EXISTS"));
}

TEST_F(BadInputTest, BrokenTasksAreRefusedAndLeaveNothing) {
  // Two 2 x 2 images and their labels.
  const std::string images(
      "\0\0\x08\x03\0\0\0\x02\0\0\0\x02\0\0\0\x02"
      "12345678",
      24);
  const std::string labels("\0\0\x08\x01\0\0\0\x02\0\x01", 10);
  const auto write = [&](const std::string& directory, const std::string& image_bytes, const std::string& label_bytes) {
    WriteTestFile(import_root() + "/" + directory + "/train-images-idx3-ubyte", image_bytes);
    WriteTestFile(import_root() + "/" + directory + "/train-labels-idx1-ubyte", label_bytes);
  };
  write("short-images", images.substr(0, 20), labels);
  write("short-labels", images, labels.substr(0, 9));
  write("bad-label", images, labels.substr(0, 9) + "\x07");
  write("bad-magic", std::string(24, 'x'), labels);
  WriteTestFile(import_root() + "/cifar/train.bin", std::string(3072, '\0'));
  WriteTestFile(import_root() + "/cifar-label/data_batch_1.bin", std::string(1, '\x63').append(3072, '\0'));
  fs::create_directory_symlink("/etc", import_root() + "/leak");

  const auto files = [](v1::TaskFormat format, const std::string& path) {
    v1::Task task;
    task.mutable_files()->set_format(format);
    task.mutable_files()->set_train_path(path);
    task.add_class_names("a");
    task.add_class_names("b");
    return task;
  };
  const auto idx = [&](const std::string& path) { return files(v1::TASK_FORMAT_IDX, path); };
  v1::Task generated;
  generated.mutable_generator()->set_generator("nothing");
  generated.mutable_generator()->set_train_examples(10);
  v1::Task negative = generated;
  negative.mutable_generator()->set_generator("shapes");
  negative.mutable_generator()->set_train_examples(-1);
  v1::Task empty_class = idx("short-images");
  empty_class.set_class_names(1, "");
  v1::Task builtin = idx("short-images");
  builtin.clear_class_names();
  builtin.add_class_names("builtin:nothing");
  const struct {
    const char* what;
    v1::Task task;
    StatusCode code;
    const char* reason;
  } cases[] = {
      {"no source", {}, StatusCode::INVALID_ARGUMENT, "TASK_WITHOUT_SOURCE"},
      {"images cut short", idx("short-images"), StatusCode::INVALID_ARGUMENT, "DATASET_TRUNCATED"},
      {"labels cut short", idx("short-labels"), StatusCode::INVALID_ARGUMENT, "DATASET_TRUNCATED"},
      {"a label out of range", idx("bad-label"), StatusCode::INVALID_ARGUMENT, "DATASET_LABEL_OUT_OF_RANGE"},
      {"no IDX file", idx("bad-magic"), StatusCode::INVALID_ARGUMENT, "DATASET_BAD_MAGIC"},
      {"CIFAR cut short", files(v1::TASK_FORMAT_CIFAR, "cifar"), StatusCode::INVALID_ARGUMENT, "DATASET_TRUNCATED"},
      {"a CIFAR label out of range", files(v1::TASK_FORMAT_CIFAR, "cifar-label"), StatusCode::INVALID_ARGUMENT,
       "DATASET_LABEL_OUT_OF_RANGE"},
      {"an unknown format", files(v1::TASK_FORMAT_UNSPECIFIED, "cifar"), StatusCode::INVALID_ARGUMENT,
       "UNKNOWN_TASK_FORMAT"},
      {"an unknown generator", generated, StatusCode::INVALID_ARGUMENT, "UNKNOWN_GENERATOR"},
      {"a negative count", negative, StatusCode::INVALID_ARGUMENT, "BAD_COUNT"},
      {"an empty class name", empty_class, StatusCode::INVALID_ARGUMENT, "EMPTY_CLASS_NAME"},
      {"an unknown builtin", builtin, StatusCode::INVALID_ARGUMENT, "UNKNOWN_BUILTIN"},
      {"a path outside the roots", idx("/etc"), StatusCode::PERMISSION_DENIED, "PATH_OUTSIDE_ROOTS"},
      {"a path outside, through a link", idx("leak"), StatusCode::PERMISSION_DENIED, "PATH_OUTSIDE_ROOTS"},
      {"a path that is not there", idx("not-there"), StatusCode::NOT_FOUND, "FILE_NOT_FOUND"},
  };
  for (const auto& one : cases) {
    const grpc::Status status = CreateTask(one.task);
    EXPECT_THAT(status, AnswersWith(one.code, one.reason)) << one.what;
    EXPECT_EQ(FieldOf(status).rfind("task.", 0), 0u) << one.what << ": " << FieldOf(status);
  }
  EXPECT_EQ(CountIn("tasks"), 0);
  EXPECT_EQ(CountIn("staging"), 0);
}

TEST_F(BadInputTest, JobsThatCannotWorkAreRefused) {
  const struct {
    const char* what;
    std::function<void(v1::CreatePatchJobRequest&)> spoil;
    StatusCode code;
    const char* reason;
  } cases[] = {
      {"an unknown model", [](auto& r) { r.mutable_patch_job()->mutable_spec()->set_model("models/x"); },
       StatusCode::NOT_FOUND, "MODEL_NOT_FOUND"},
      {"an unknown task", [](auto& r) { r.mutable_patch_job()->mutable_spec()->set_patching_tasks(0, "tasks/x"); },
       StatusCode::NOT_FOUND, "TASK_NOT_FOUND"},
      {"α = NaN", [](auto& r) { r.mutable_patch_job()->mutable_spec()->add_alphas(std::nan("")); },
       StatusCode::INVALID_ARGUMENT, "BAD_ALPHA"},
      {"no steps", [](auto& r) { r.mutable_patch_job()->mutable_spec()->mutable_fine_tune()->set_steps(0); },
       StatusCode::INVALID_ARGUMENT, "BAD_FINE_TUNE_OPTION"},
      {"one task of several",
       [](auto& r) { r.mutable_patch_job()->mutable_spec()->set_strategy(v1::STRATEGY_PARALLEL); },
       StatusCode::INVALID_ARGUMENT, "TOO_FEW_TASKS"},
      {"an unknown strategy",
       [](auto& r) { r.mutable_patch_job()->mutable_spec()->set_strategy(static_cast<v1::Strategy>(99)); },
       StatusCode::INVALID_ARGUMENT, "BAD_STRATEGY"},
      {"a bad id", [](auto& r) { r.set_patch_job_id("a/b"); }, StatusCode::INVALID_ARGUMENT, "BAD_RESOURCE_ID"},
      {"a long request_id", [](auto& r) { r.set_request_id(std::string(129, 'x')); }, StatusCode::INVALID_ARGUMENT,
       "BAD_REQUEST_ID"},
  };
  for (const auto& one : cases) {
    v1::CreatePatchJobRequest request = JobRequest("job", 1);
    one.spoil(request);
    EXPECT_THAT(Submit(request), AnswersWith(one.code, one.reason)) << one.what;
  }
  const auto watch = [&](const std::string& name, int64_t after) {
    grpc::ClientContext context;
    v1::WatchPatchJobRequest request;
    request.set_name(name);
    request.set_after_event_number(after);
    const auto reader = stubs_->jobs->WatchPatchJob(&context, request);
    v1::PatchJobEvent event;
    while (reader->Read(&event)) {
    }
    return reader->Finish();
  };
  EXPECT_THAT(watch("patchJobs/unknown", 0), AnswersWith(StatusCode::NOT_FOUND, "PATCH_JOB_NOT_FOUND"));
  EXPECT_THAT(watch("jobs/x", 0), AnswersWith(StatusCode::INVALID_ARGUMENT, "BAD_RESOURCE_NAME"));
  EXPECT_THAT(watch("patchJobs/x", -1), AnswersWith(StatusCode::INVALID_ARGUMENT, "BAD_EVENT_NUMBER"));
  grpc::ClientContext context;
  v1::ListPatchJobsRequest list;
  list.set_page_size(-1);
  v1::ListPatchJobsResponse response;
  EXPECT_THAT(stubs_->jobs->ListPatchJobs(&context, list, &response),
              AnswersWith(StatusCode::INVALID_ARGUMENT, "BAD_PAGE_SIZE"));
  grpc::ClientContext token_context;
  list.set_page_size(0);
  list.set_page_token("nonsense");
  EXPECT_THAT(stubs_->jobs->ListPatchJobs(&token_context, list, &response),
              AnswersWith(StatusCode::INVALID_ARGUMENT, "BAD_PAGE_TOKEN"));
}

TEST_F(BadInputTest, AMessageOverTheSizeLimitIsRefused) {
  v1::ClassifyRequest request = ClassifyRequestAt("", 0);
  request.mutable_images(0)->set_encoded(std::string((64 << 20) + 1, 'x'));
  EXPECT_EQ(Classify(request).error_code(), StatusCode::RESOURCE_EXHAUSTED);
}

TEST_F(BadInputTest, ACallThatIsTooLateIsDropped) {
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() - std::chrono::seconds(1));
  v1::ClassifyResponse response;
  EXPECT_EQ(stubs_->inference->Classify(&context, ClassifyRequestAt("", 0), &response).error_code(),
            StatusCode::DEADLINE_EXCEEDED);
}

TEST(NoImportRootTest, WithoutARootNothingIsImported) {
  const ScratchDirectory scratch;
  const auto server = ServerProcess::Start(scratch.Path("data"));
  ASSERT_NE(server, nullptr);
  const Stubs stubs(server->Connect());
  v1::ImportModelRequest request;
  request.set_model_id("m");
  request.set_path("/etc");
  grpc::ClientContext context;
  v1::Model model;
  EXPECT_THAT(stubs.models->ImportModel(&context, request, &model),
              AnswersWith(StatusCode::PERMISSION_DENIED, "NO_IMPORT_ROOT"));
}

}  // namespace
}  // namespace modelpatch::testing
