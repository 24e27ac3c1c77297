// Models leave as they came, and mixtures leave as models of their own that give the same features.

#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

#include "tests/integration/end_to_end.h"

namespace modelpatch::testing {
namespace {

namespace fs = std::filesystem;
using grpc::StatusCode;
using ::testing::HasSubstr;

std::string ReadAll(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

class ExportTest : public EndToEnd {
 protected:
  // The export root lies in the import root, so that what was exported can be imported.
  void SetUp() override {
    fs::create_directories(export_root());
    StartServer({"--export-root", export_root()});
    if (HasFatalFailure()) return;
    ImportModelAndTasks();
  }
  std::string export_root() const { return import_root() + "/exports"; }

  grpc::Status Export(const v1::Mixture& mixture, const std::string& path, v1::ExportLayout layout) {
    grpc::ClientContext context;
    v1::ExportModelRequest request;
    *request.mutable_mixture() = mixture;
    request.set_path(path);
    request.set_layout(layout);
    v1::ExportModelResponse response;
    return stubs_->models->ExportModel(&context, request, &response);
  }
  grpc::Status Import(const std::string& id, const std::string& path, v1::Model* model,
                      const std::string& architecture = "") {
    grpc::ClientContext context;
    v1::ImportModelRequest request;
    request.set_model_id(id);
    request.set_path(path);
    request.set_architecture(architecture);
    return stubs_->models->ImportModel(&context, request, model);
  }
  grpc::Status ImportCheckpoint(const std::string& id, const std::string& model, const std::string& path,
                                v1::Checkpoint* checkpoint) {
    grpc::ClientContext context;
    v1::ImportCheckpointRequest request;
    request.set_checkpoint_id(id);
    request.set_model(model);
    request.set_path(path);
    return stubs_->checkpoints->ImportCheckpoint(&context, request, checkpoint);
  }
  grpc::Status Initialize(const std::string& id, const std::string& architecture, v1::Model* model) {
    grpc::ClientContext context;
    v1::InitializeModelRequest request;
    request.set_model_id(id);
    request.set_architecture(architecture);
    request.set_seed(1);
    return stubs_->models->InitializeModel(&context, request, model);
  }
  v1::Model GetModel(const std::string& name) {
    grpc::ClientContext context;
    v1::GetModelRequest request;
    request.set_name(name);
    v1::Model model;
    EXPECT_THAT(stubs_->models->GetModel(&context, request, &model), Succeeds());
    return model;
  }
  std::vector<float> FeaturesAt(const v1::Mixture& mixture) {
    grpc::ClientContext context;
    v1::EncodeImagesRequest request;
    *request.mutable_mixture() = mixture;
    request.add_images()->set_encoded(MakePng(20, 30, 200, 100, 50));
    v1::EncodeImagesResponse response;
    EXPECT_THAT(stubs_->inference->EncodeImages(&context, request, &response), Succeeds());
    if (response.embeddings_size() != 1) return {};
    const auto& values = response.embeddings(0).values();
    return {values.begin(), values.end()};
  }
  static v1::Mixture ModelAlone(const std::string& name) {
    v1::Mixture mixture;
    mixture.set_model(name);
    return mixture;
  }
};

TEST_F(ExportTest, AModelLeavesAsItCame) {
  ASSERT_THAT(Export(ModelAlone("models/tiny"), "copy", v1::EXPORT_LAYOUT_UNSPECIFIED), Succeeds());
  EXPECT_EQ(ReadAll(export_root() + "/copy/model.safetensors"), ReadAll(import_root() + "/tiny/model.safetensors"));
  EXPECT_EQ(ReadAll(export_root() + "/copy/vocab.json"), ReadAll(import_root() + "/tiny/vocab.json"));
  EXPECT_THAT(ReadAll(export_root() + "/copy/README.md"), HasSubstr("Nothing was mixed in"));
}

TEST_F(ExportTest, AModelThatComesBackIsTheSameModel) {
  const std::string digest = GetModel("models/tiny").digest();
  const struct {
    v1::ExportLayout layout;
    const char* name;
  } layouts[] = {{v1::EXPORT_LAYOUT_HUGGING_FACE, "hf"}, {v1::EXPORT_LAYOUT_OPEN_CLIP, "open-clip"}};
  for (const auto& [layout, name] : layouts) {
    ASSERT_THAT(Export(ModelAlone("models/tiny"), name, layout), Succeeds()) << name;
    v1::Model again;
    ASSERT_THAT(Import(name, std::string("exports/") + name, &again), Succeeds()) << name;
    EXPECT_EQ(again.digest(), digest) << name;
  }
}

TEST_F(ExportTest, ACheckpointMadeElsewhereIsACheckpoint) {
  ASSERT_THAT(Submit(JobRequest("job", 6)), Succeeds());
  ASSERT_EQ(WaitForJob("job").state(), v1::PATCH_JOB_STATE_SUCCEEDED);
  v1::Mixture mixture;
  v1::MixtureTerm& term = *mixture.add_terms();
  term.set_checkpoint("checkpoints/job");
  term.set_coefficient(1);
  ASSERT_THAT(Export(mixture, "tuned", v1::EXPORT_LAYOUT_OPEN_CLIP), Succeeds());
  v1::Checkpoint checkpoint;
  for (const std::string path : {"exports/tuned", "exports/tuned/open_clip_model.safetensors"}) {
    const std::string id = "again-" + std::to_string(path.size());
    ASSERT_THAT(ImportCheckpoint(id, "models/tiny", path, &checkpoint), Succeeds());
    EXPECT_EQ(checkpoint.kind(), v1::CHECKPOINT_KIND_IMPORTED);
    EXPECT_EQ(checkpoint.lineage().model(), "models/tiny");
    EXPECT_THAT(checkpoint.lineage().source_path(), HasSubstr("exports/tuned"));
    v1::Mixture imported = mixture;
    imported.mutable_terms(0)->set_checkpoint("checkpoints/" + id);
    EXPECT_EQ(FeaturesAt(imported), FeaturesAt(mixture));
  }
  WriteTinyModel(import_root() + "/other", /*seed=*/2);
  EXPECT_THAT(ImportCheckpoint("other", "models/tiny", "other", &checkpoint),
              AnswersWith(StatusCode::INVALID_ARGUMENT, "CHECKPOINT_TEXT_TOWER_DIFFERS"));
  EXPECT_THAT(ImportCheckpoint("other", "models/tiny", "tiny/vocab.json", &checkpoint),
              AnswersWith(StatusCode::INVALID_ARGUMENT, "MODEL_FILE_MISSING"));
  EXPECT_THAT(ImportCheckpoint("other", "models/absent", "other", &checkpoint),
              AnswersWith(StatusCode::NOT_FOUND, "MODEL_NOT_FOUND"));
  EXPECT_THAT(ImportCheckpoint("again-13", "models/tiny", "exports/tuned", &checkpoint),
              AnswersWith(StatusCode::ALREADY_EXISTS, "RESOURCE_ALREADY_EXISTS"));
}

TEST_F(ExportTest, ARandomModelServesAndItsStateDictNeedsItsName) {
  v1::Model model;
  ASSERT_THAT(Initialize("random", "ViT-S-32-alt-quickgelu", &model), Succeeds());
  EXPECT_EQ(model.image_size_pixels(), 224);
  EXPECT_EQ(FeaturesAt(ModelAlone("models/random")).size(), 256u);
  ASSERT_THAT(Export(ModelAlone("models/random"), "bare", v1::EXPORT_LAYOUT_OPEN_CLIP), Succeeds());
  v1::Model again;
  EXPECT_THAT(Import("named", "exports/bare", &again, "ViT-S-32-alt-quickgelu"),
              AnswersWith(StatusCode::INVALID_ARGUMENT, "ARCHITECTURE_NOT_NEEDED"));
  fs::remove(export_root() + "/bare/open_clip_config.json");
  EXPECT_THAT(Import("named", "exports/bare", &again, "ViT-S-33"),
              AnswersWith(StatusCode::INVALID_ARGUMENT, "UNKNOWN_ARCHITECTURE"));
  EXPECT_THAT(Import("named", "exports/bare", &again, "ViT-B-32"),
              AnswersWith(StatusCode::INVALID_ARGUMENT, "MODEL_TENSORS_MISMATCH"));
  ASSERT_THAT(Import("named", "exports/bare", &again, "ViT-S-32-alt-quickgelu"), Succeeds());
  EXPECT_EQ(again.digest(), model.digest());
  EXPECT_THAT(Initialize("another", "", &again), AnswersWith(StatusCode::INVALID_ARGUMENT, "UNKNOWN_ARCHITECTURE"));
}

TEST_F(ExportTest, AMixtureIsAModelWithTheSameFeatures) {
  ASSERT_THAT(Submit(JobRequest("job", 6)), Succeeds());
  ASSERT_EQ(WaitForJob("job").state(), v1::PATCH_JOB_STATE_SUCCEEDED);
  v1::Mixture mixture;
  v1::MixtureTerm& term = *mixture.add_terms();
  term.set_checkpoint("checkpoints/job");
  term.set_coefficient(0.3);
  const std::vector<float> expected = FeaturesAt(mixture);
  const struct {
    v1::ExportLayout layout;
    const char* name;
  } layouts[] = {{v1::EXPORT_LAYOUT_HUGGING_FACE, "hf"}, {v1::EXPORT_LAYOUT_OPEN_CLIP, "open-clip"}};
  for (const auto& [layout, name] : layouts) {
    ASSERT_THAT(Export(mixture, name, layout), Succeeds()) << name;
    EXPECT_THAT(ReadAll(export_root() + "/" + name + "/README.md"), HasSubstr("| `checkpoints/job` | 0.3 |"));
    EXPECT_THAT(ReadAll(export_root() + "/" + name + "/README.md"), HasSubstr("tasks/shapes"));
    v1::Model model;
    ASSERT_THAT(Import(name, std::string("exports/") + name, &model), Succeeds()) << name;
    const std::vector<float> features = FeaturesAt(ModelAlone(std::string("models/") + name));
    ASSERT_EQ(features.size(), expected.size());
    for (size_t i = 0; i < features.size(); ++i) EXPECT_NEAR(features[i], expected[i], 1e-6) << name;
  }
}

TEST_F(ExportTest, MistakesLeaveNothing) {
  const v1::Mixture tiny = ModelAlone("models/tiny");
  const auto layout = v1::EXPORT_LAYOUT_HUGGING_FACE;
  EXPECT_THAT(Export(tiny, "../outside", layout), AnswersWith(StatusCode::PERMISSION_DENIED, "PATH_OUTSIDE_ROOTS"));
  EXPECT_THAT(Export(tiny, "absent/model", layout), AnswersWith(StatusCode::NOT_FOUND, "FILE_NOT_FOUND"));
  EXPECT_THAT(Export(tiny, "", layout), AnswersWith(StatusCode::INVALID_ARGUMENT, "BAD_PATH"));
  EXPECT_THAT(Export(tiny, "x", static_cast<v1::ExportLayout>(9)),
              AnswersWith(StatusCode::INVALID_ARGUMENT, "BAD_LAYOUT"));
  EXPECT_THAT(Export(ModelAlone("models/unknown"), "x", layout), AnswersWith(StatusCode::NOT_FOUND, "MODEL_NOT_FOUND"));
  EXPECT_TRUE(fs::is_empty(export_root()));
  ASSERT_THAT(Export(tiny, "once", layout), Succeeds());
  EXPECT_THAT(Export(tiny, "once", layout), AnswersWith(StatusCode::ALREADY_EXISTS, "PATH_EXISTS"));
  ExpectServerAlive();
}

}  // namespace
}  // namespace modelpatch::testing
