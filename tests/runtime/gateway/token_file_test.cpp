// Tokens: made once, never readable again, gone at once when revoked.
#include "runtime/gateway/token_file.hpp"
#include "tests/runtime/gateway/scratch_folder.hpp"

#include <gmock/gmock.h>

#include <fstream>
#include <set>

#include <sys/stat.h>

namespace homeostat {
namespace {

using ::testing::HasSubstr;

class TokenFile : public ::testing::Test {
protected:
  std::string text() const {
    std::ifstream in(file);
    return {std::istreambuf_iterator<char>(in), {}};
  }
  void write(const std::string& content) const {
    std::ofstream(file) << content;
    ASSERT_EQ(chmod(file.c_str(), 0600), 0);
  }
  testing::scratch_folder folder;
  std::filesystem::path file = folder.path / "tokens";
};

TEST_F(TokenFile, KeepsTheDigestAndNotTheToken) {
  const auto token = create_token(file, "ada", role::operator_);
  ASSERT_TRUE(token) << token.error();
  EXPECT_EQ(token->size(), 68U);
  EXPECT_TRUE(token->starts_with("hst_"));
  EXPECT_THAT(text(), Not(HasSubstr(token->substr(4))));
  struct stat info{};
  ASSERT_EQ(stat(file.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0600U);
  const auto tokens = read_tokens(file);
  ASSERT_TRUE(tokens);
  ASSERT_EQ(tokens->size(), 1U);
  EXPECT_EQ(tokens->front().name, "ada");
  EXPECT_EQ(tokens->front().acts_as, role::operator_);
  EXPECT_EQ(tokens->front().digest, sha256(*token));
}

TEST_F(TokenFile, EveryTokenIsAnother) {
  std::set<std::string> all;
  for (int i = 0; i < 20; ++i) {
    const auto token = create_token(file, "t" + std::to_string(i), role::viewer);
    ASSERT_TRUE(token) << token.error();
    all.insert(*token);
  }
  EXPECT_EQ(all.size(), 20U);
}

TEST_F(TokenFile, NamesAreUniqueAndPlain) {
  ASSERT_TRUE(create_token(file, "ada", role::viewer));
  EXPECT_THAT(create_token(file, "ada", role::admin).error(), HasSubstr("revoke it first"));
  for (const char* name : {"", "Ada", "a b", "a\nb", "1a", "a#"})
    EXPECT_FALSE(create_token(file, name, role::viewer)) << name;
  EXPECT_FALSE(create_token(file, std::string(64, 'a'), role::viewer));
}

TEST_F(TokenFile, CommentsSurviveARevocation) {
  write("# who made these\n");
  ASSERT_TRUE(create_token(file, "ada", role::viewer));
  ASSERT_TRUE(create_token(file, "ben", role::viewer));
  ASSERT_TRUE(revoke_token(file, "ada"));
  EXPECT_THAT(text(), ::testing::MatchesRegex("# who made these\nben viewer [0-9a-f]+\n"));
  EXPECT_THAT(revoke_token(file, "ada").error(), HasSubstr("no token is named 'ada'"));
}

TEST_F(TokenFile, RefusesAFileThatOthersMayRead) {
  ASSERT_TRUE(create_token(file, "ada", role::viewer));
  for (const mode_t mode : {0604U, 0602U, 0620U}) {
    ASSERT_EQ(chmod(file.c_str(), mode), 0);
    EXPECT_THAT(read_tokens(file).error(), HasSubstr("chmod 600")) << mode;
    EXPECT_FALSE(create_token(file, "ben", role::viewer));
    EXPECT_FALSE(token_store::open(file));
  }
  ASSERT_EQ(chmod(file.c_str(), 0640), 0);
  EXPECT_TRUE(read_tokens(file)) << "a group that only reads is how secrets are mounted";
}

TEST_F(TokenFile, RefusesWhatItDoesNotUnderstand) {
  const std::string digest(64, 'a');
  for (const std::string& line :
       std::vector<std::string>{"ada", "ada viewer", "ada viewer " + digest.substr(1), "ada viewer " + digest + " more",
                                "ada owner " + digest, "Ada viewer " + digest, "ada viewer " + std::string(64, 'g'),
                                "ada viewer " + digest + "\nada admin " + digest}) {
    write(line + "\n");
    EXPECT_FALSE(read_tokens(file)) << line;
  }
  write("\n  # only this\nada viewer " + digest + " # hers\n");
  EXPECT_TRUE(read_tokens(file));
  EXPECT_FALSE(read_tokens(folder.path));
  EXPECT_FALSE(read_tokens(folder.path / "none"));
}

TEST_F(TokenFile, AStoreFollowsItsFile) {
  const auto ada = create_token(file, "ada", role::viewer);
  auto opened = token_store::open(file);
  ASSERT_TRUE(opened) << opened.error();
  token_store& store = **opened;
  EXPECT_EQ(store.find(*ada)->name, "ada");
  EXPECT_FALSE(store.find(*ada + "0"));
  EXPECT_FALSE(store.find(""));
  const auto ben = create_token(file, "ben", role::admin);
  EXPECT_EQ(store.find(*ben)->acts_as, role::admin);
  ASSERT_TRUE(revoke_token(file, "ada"));
  EXPECT_FALSE(store.find(*ada));
  EXPECT_TRUE(store.find(*ben));
  ASSERT_EQ(chmod(file.c_str(), 0644), 0);
  EXPECT_FALSE(store.find(*ben)) << "no token is valid while the file is not";
  ASSERT_EQ(chmod(file.c_str(), 0600), 0);
  EXPECT_TRUE(store.find(*ben));
  std::filesystem::remove(file);
  EXPECT_FALSE(store.find(*ben));
}

} // namespace
} // namespace homeostat
