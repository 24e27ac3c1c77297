#include "core/model/named_architectures.h"

#include <string>

#include "core/model/image_encoder.h"
#include "core/model/text_encoder.h"
#include "core/tensor/weight_layout.h"
#include "tests/support/status_matchers.h"

namespace modelpatch::model {
namespace {

using ::modelpatch::testing::FailsWith;

// Trained parameters of both towers, the logit scale included.
int64_t CountParameters(const ModelConfig& config) {
  int64_t count = 0;
  const auto add = [&](const std::vector<tensor::WeightSpec>& specs) {
    for (const tensor::WeightSpec& spec : specs) {
      int64_t numel = spec.is_buffer ? 0 : 1;
      for (const int64_t size : spec.shape) numel *= size;
      count += numel;
    }
  };
  add(MakeImageEncoder(config.vision, config.embedding_width)->WeightSpecs());
  add(TextEncoder(config.text, config.embedding_width).WeightSpecs());
  return count;
}

// The counts are the published ones: clip.load prints them, and open_clip's profile lists them in millions.
TEST(NamedArchitecturesTest, EachHasThePublishedNumberOfParameters) {
  const struct {
    const char* name;
    int64_t parameters;
  } cases[] = {
      {"RN50-quickgelu", 102'007'137},    {"RN101-quickgelu", 119'688'033},   {"RN50x4-quickgelu", 178'300'601},
      {"RN50x16-quickgelu", 290'979'217}, {"RN50x64-quickgelu", 623'258'305}, {"ViT-B/32", 151'277'313},
      {"ViT-B/16", 149'620'737},          {"ViT-L/14", 427'616'513},          {"ViT-L/14@336px", 427'944'193},
      {"ViT-H-14", 986'109'441},          {"ViT-g-14", 1'366'678'273}};
  for (const auto& [name, parameters] : cases) {
    ASSERT_OK_AND_ASSIGN(const ModelConfig config, NamedArchitecture(name));
    EXPECT_EQ(CountParameters(config), parameters) << name;
  }
  ASSERT_OK_AND_ASSIGN(const ModelConfig largest, NamedArchitecture("ViT-bigG-14"));
  EXPECT_NEAR(static_cast<double>(CountParameters(largest)) / 1e6, 2539.57, 0.01);
}

TEST(NamedArchitecturesTest, TheSuffixAndOpenAisNamesMeanQuickGelu) {
  ASSERT_OK_AND_ASSIGN(const ModelConfig plain, NamedArchitecture("ViT-B-32"));
  ASSERT_OK_AND_ASSIGN(const ModelConfig quick, NamedArchitecture("ViT-B-32-quickgelu"));
  ASSERT_OK_AND_ASSIGN(const ModelConfig open_ai, NamedArchitecture("ViT-B/32"));
  EXPECT_EQ(plain.text.activation, Activation::kGelu);
  EXPECT_EQ(plain.vision.activation, Activation::kGelu);
  EXPECT_EQ(quick.vision.activation, Activation::kQuickGelu);
  EXPECT_TRUE(quick == open_ai);
}

TEST(NamedArchitecturesTest, EveryListedNameIsAValidConfig) {
  for (const std::string& name : ArchitectureNames()) {
    for (const std::string& variant : {name, name + "-quickgelu"}) {
      ASSERT_OK_AND_ASSIGN(const ModelConfig config, NamedArchitecture(variant));
      EXPECT_OK(CheckModelConfig(config)) << variant;
    }
  }
}

TEST(NamedArchitecturesTest, AnUnknownNameIsAnsweredWithTheKnownOnes) {
  const absl::Status status = NamedArchitecture("ViT-B-33").status();
  EXPECT_THAT(status, FailsWith(absl::StatusCode::kInvalidArgument, "UNKNOWN_ARCHITECTURE"));
  EXPECT_NE(std::string(status.message()).find("ViT-B-32-256"), std::string::npos) << status.message();
  EXPECT_FALSE(NamedArchitecture("").ok());
  EXPECT_FALSE(NamedArchitecture("-quickgelu").ok());
}

}  // namespace
}  // namespace modelpatch::model
