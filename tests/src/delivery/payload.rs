//! Payloads with every member that GitHub documents for them.

use serde_json::{Map, Value, json};

/// A repository as a payload describes it.
#[derive(Clone, Debug)]
pub struct Repository {
    pub owner: String,
    pub name: String,
    /// Where git finds it.
    pub clone_url: String,
}

/// An issue as a payload describes it.
#[derive(Clone, Debug)]
pub struct Issue {
    pub number: i64,
    pub title: String,
    pub body: String,
}

const API: &str = "https://api.github.com";
const WEB: &str = "https://github.com";
const CREATED: &str = "2026-11-02T09:15:04Z";
const UPDATED: &str = "2026-11-22T10:01:33Z";

/// Members of a repository that are links below its API address.
const REPOSITORY_LINKS: [(&str, &str); 37] = [
    ("forks_url", "/forks"),
    ("keys_url", "/keys{/key_id}"),
    ("collaborators_url", "/collaborators{/collaborator}"),
    ("teams_url", "/teams"),
    ("hooks_url", "/hooks"),
    ("issue_events_url", "/issues/events{/number}"),
    ("events_url", "/events"),
    ("assignees_url", "/assignees{/user}"),
    ("branches_url", "/branches{/branch}"),
    ("tags_url", "/tags"),
    ("blobs_url", "/git/blobs{/sha}"),
    ("git_tags_url", "/git/tags{/sha}"),
    ("git_refs_url", "/git/refs{/sha}"),
    ("trees_url", "/git/trees{/sha}"),
    ("statuses_url", "/statuses/{sha}"),
    ("languages_url", "/languages"),
    ("stargazers_url", "/stargazers"),
    ("contributors_url", "/contributors"),
    ("subscribers_url", "/subscribers"),
    ("subscription_url", "/subscription"),
    ("commits_url", "/commits{/sha}"),
    ("git_commits_url", "/git/commits{/sha}"),
    ("comments_url", "/comments{/number}"),
    ("issue_comment_url", "/issues/comments{/number}"),
    ("contents_url", "/contents/{+path}"),
    ("compare_url", "/compare/{base}...{head}"),
    ("merges_url", "/merges"),
    ("archive_url", "/{archive_format}{/ref}"),
    ("downloads_url", "/downloads"),
    ("issues_url", "/issues{/number}"),
    ("pulls_url", "/pulls{/number}"),
    ("milestones_url", "/milestones{/number}"),
    ("notifications_url", "/notifications{?since,all,participating}"),
    ("labels_url", "/labels{/name}"),
    ("releases_url", "/releases{/id}"),
    ("deployments_url", "/deployments"),
    ("url", ""),
];

/// Members of a user that are links below its API address.
const USER_LINKS: [(&str, &str); 10] = [
    ("url", ""),
    ("followers_url", "/followers"),
    ("following_url", "/following{/other_user}"),
    ("gists_url", "/gists{/gist_id}"),
    ("starred_url", "/starred{/owner}{/repo}"),
    ("subscriptions_url", "/subscriptions"),
    ("organizations_url", "/orgs"),
    ("repos_url", "/repos"),
    ("events_url", "/events{/privacy}"),
    ("received_events_url", "/received_events"),
];

pub(super) fn issue_labeled(repository: &Repository, issue: &Issue, label: &str) -> Value {
    let label = self::label(repository, label);
    json!({
        "action": "labeled",
        "issue": self::issue(repository, issue, &label),
        "label": label,
        "repository": self::repository(repository),
        "sender": user("octocat", 583_231),
    })
}

fn links(base: &str, links: &[(&str, &str)]) -> Map<String, Value> {
    links.iter().map(|(name, path)| ((*name).to_owned(), json!(format!("{base}{path}")))).collect()
}

fn user(login: &str, id: i64) -> Value {
    let mut user = links(&format!("{API}/users/{login}"), &USER_LINKS);
    let more = json!({
        "login": login,
        "id": id,
        "node_id": "MDQ6VXNlcjU4MzIzMQ==",
        "avatar_url": format!("https://avatars.githubusercontent.com/u/{id}?v=4"),
        "gravatar_id": "",
        "html_url": format!("{WEB}/{login}"),
        "type": "User",
        "user_view_type": "public",
        "site_admin": false,
    });
    extend(&mut user, more);
    Value::Object(user)
}

fn label(Repository { owner, name, .. }: &Repository, label: &str) -> Value {
    json!({
        "id": 208_045_946,
        "node_id": "MDU6TGFiZWwyMDgwNDU5NDY=",
        "url": format!("{API}/repos/{owner}/{name}/labels/{label}"),
        "name": label,
        "color": "5319e7",
        "default": false,
        "description": "Work for the team of agents",
    })
}

fn issue(repository: &Repository, Issue { number, title, body }: &Issue, label: &Value) -> Value {
    let Repository { owner, name, .. } = repository;
    let url = format!("{API}/repos/{owner}/{name}/issues/{number}");
    json!({
        "url": url,
        "repository_url": format!("{API}/repos/{owner}/{name}"),
        "labels_url": format!("{url}/labels{{/name}}"),
        "comments_url": format!("{url}/comments"),
        "events_url": format!("{url}/events"),
        "html_url": format!("{WEB}/{owner}/{name}/issues/{number}"),
        "id": 2_710_044_321_i64,
        "node_id": "I_kwDOABCD12KhZ9Zh",
        "number": number,
        "title": title,
        "user": user("octocat", 583_231),
        "labels": [label],
        "state": "open",
        "locked": false,
        "assignee": null,
        "assignees": [],
        "milestone": null,
        "comments": 0,
        "created_at": CREATED,
        "updated_at": UPDATED,
        "closed_at": null,
        "author_association": "OWNER",
        "type": null,
        "active_lock_reason": null,
        "sub_issues_summary": { "total": 0, "completed": 0, "percent_completed": 0 },
        "issue_dependencies_summary": { "blocked_by": 0, "total_blocked_by": 0, "blocking": 0, "total_blocking": 0 },
        "body": body,
        "closed_by": null,
        "reactions": reactions(&url),
        "timeline_url": format!("{url}/timeline"),
        "performed_via_github_app": null,
        "state_reason": null,
    })
}

fn reactions(url: &str) -> Value {
    json!({
        "url": format!("{url}/reactions"),
        "total_count": 0,
        "+1": 0,
        "-1": 0,
        "laugh": 0,
        "hooray": 0,
        "confused": 0,
        "heart": 0,
        "rocket": 0,
        "eyes": 0,
    })
}

fn repository(Repository { owner, name, clone_url }: &Repository) -> Value {
    let mut repository = links(&format!("{API}/repos/{owner}/{name}"), &REPOSITORY_LINKS);
    let more = json!({
        "id": 186_853_002,
        "node_id": "MDEwOlJlcG9zaXRvcnkxODY4NTMwMDI=",
        "name": name,
        "full_name": format!("{owner}/{name}"),
        "private": true,
        "owner": user(owner, 21_031_067),
        "html_url": format!("{WEB}/{owner}/{name}"),
        "description": null,
        "fork": false,
        "created_at": CREATED,
        "updated_at": UPDATED,
        "pushed_at": UPDATED,
        "git_url": format!("git://github.com/{owner}/{name}.git"),
        "ssh_url": format!("git@github.com:{owner}/{name}.git"),
        "clone_url": clone_url,
        "svn_url": format!("{WEB}/{owner}/{name}"),
        "homepage": null,
        "default_branch": "main",
    });
    extend(&mut repository, more);
    extend(&mut repository, repository_facts());
    Value::Object(repository)
}

/// What a payload says of a repository beside its names and places.
fn repository_facts() -> Value {
    json!({
        "size": 12,
        "stargazers_count": 0,
        "watchers_count": 0,
        "language": "Rust",
        "has_issues": true,
        "has_projects": true,
        "has_downloads": true,
        "has_wiki": true,
        "has_pages": false,
        "has_discussions": false,
        "forks_count": 0,
        "mirror_url": null,
        "archived": false,
        "disabled": false,
        "open_issues_count": 1,
        "license": null,
        "allow_forking": true,
        "is_template": false,
        "web_commit_signoff_required": false,
        "topics": [],
        "visibility": "private",
        "forks": 0,
        "open_issues": 1,
        "watchers": 0,
    })
}

fn extend(members: &mut Map<String, Value>, more: Value) {
    if let Value::Object(more) = more {
        members.extend(more);
    }
}
