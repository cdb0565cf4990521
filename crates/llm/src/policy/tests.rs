use super::*;

fn policy(kind: PolicyKind, allow_hosted: bool, allowed: &str) -> Policy {
    let allowed = allowed.split(',').map(|it| it.parse().unwrap()).collect();
    Policy { kind, allowed, allow_hosted }
}

const MACHINE: &str = "localhost,127.0.0.1,::1";

#[test]
fn oss_and_locked_allow_listed_hosts_only() {
    for kind in [PolicyKind::Oss, PolicyKind::Locked] {
        for allow_hosted in [false, true] {
            let policy = policy(kind, allow_hosted, MACHINE);
            check(&policy, "http://localhost:11434", true);
            check(&policy, "http://LOCALHOST./", true);
            check(&policy, "http://127.0.0.1", true);
            check(&policy, "http://127.1", true);
            check(&policy, "http://0x7f.1", true);
            check(&policy, "http://[::1]:80", true);
            check(&policy, "http://[::ffff:127.0.0.1]", true);
            check(&policy, "https://api.openai.com", false);
            check(&policy, "http://127.0.0.2", false);
            check(&policy, "http://0", false);
            check(&policy, "http://10.0.0.5", false);
            check(&policy, "http://169.254.169.254", false);
            check(&policy, "http://metadata.google.internal", false);
            check(&policy, "http://localhost.evil.example", false);
            check(&policy, "http://evil-localhost", false);
        }
    }
}

#[test]
fn hosted_needs_its_switch_and_https_beyond_the_list() {
    let off = policy(PolicyKind::Hosted, false, MACHINE);
    check(&off, "http://localhost", true);
    check(&off, "https://api.openai.com", false);
    let on = policy(PolicyKind::Hosted, true, MACHINE);
    check(&on, "http://localhost", true);
    check(&on, "https://api.openai.com", true);
    check(&on, "https://8.8.8.8", true);
    check(&on, "https://[2606:4700::1111]", true);
    check(&on, "http://api.openai.com", false);
    check(&on, "https://10.0.0.5", false);
    check(&on, "https://127.0.0.2", false);
    check(&on, "https://169.254.169.254", false);
    check(&on, "https://[fd00:ec2::254]", false);
    check(&on, "https://[::ffff:10.0.0.5]", false);
    check(&on, "https://[64:ff9b::a00:5]", false);
    check(&on, "https://[2002:a00:5::]", false);
}

#[test]
fn a_listed_host_is_allowed_but_never_a_metadata_address() {
    let policy = policy(PolicyKind::Oss, false, "ollama.internal,10.0.0.5,169.254.169.254,0.0.0.0");
    check(&policy, "http://ollama.internal:11434", true);
    check(&policy, "http://10.0.0.5", true);
    check(&policy, "http://169.254.169.254", false);
    check(&policy, "http://0.0.0.0", false);
    check(&policy, "http://localhost", false);
}

#[track_caller]
fn check(policy: &Policy, url: &str, allowed: bool) {
    let endpoint = Endpoint::parse(url).unwrap();
    let result = policy.check(&endpoint, WireFormat::Ollama);
    assert_eq!(result.is_ok(), allowed, "{:?} {url}: {result:?}", policy.kind);
}

#[test]
fn locked_allows_ollama_only() {
    let endpoint = Endpoint::parse("http://localhost").unwrap();
    let check = |kind| policy(kind, false, MACHINE).check(&endpoint, WireFormat::OpenAi).is_ok();
    assert_eq!(
        [PolicyKind::Oss, PolicyKind::Hosted, PolicyKind::Locked].map(check),
        [true, true, false]
    );
}

#[test]
fn a_name_may_stand_only_for_addresses_of_its_kind() {
    let oss = policy(PolicyKind::Oss, false, "localhost,ollama.internal");
    let hosted = policy(PolicyKind::Hosted, true, "localhost,ollama.internal");
    stands(
        &oss,
        "localhost",
        ["127.0.0.1", "127.0.0.53", "::1"],
        &["10.0.0.1", "8.8.8.8", "0.0.0.0"],
    );
    stands(
        &oss,
        "ollama.internal",
        ["127.0.0.1", "10.0.0.1", "fd12::1"],
        &["8.8.8.8", "2606:4700::1111", "169.254.169.254", "fe80::1", "100.100.100.200"],
    );
    stands(&hosted, "ollama.internal", ["10.0.0.1", "8.8.8.8", "::1"], &["169.254.169.254"]);
    stands(
        &hosted,
        "api.openai.com",
        ["8.8.8.8", "104.18.7.192", "2606:4700::1111"],
        &[
            "127.0.0.1",
            "10.0.0.1",
            "100.64.0.1",
            "::1",
            "::ffff:127.0.0.1",
            "fd12::1",
            "198.18.0.1",
        ],
    );
    assert!(oss.admit_name("api.openai.com").is_err());
}

#[track_caller]
fn stands(policy: &Policy, name: &str, for_these: [&str; 3], not_for: &[&str]) {
    let reach = policy.admit_name(name).unwrap();
    for address in for_these {
        assert!(reach.admits(address.parse().unwrap()), "{name} at {address}");
    }
    for address in not_for {
        assert!(!reach.admits(address.parse().unwrap()), "{name} at {address}");
    }
}

#[test]
fn a_list_holds_hosts_and_nothing_else() {
    for text in
        ["http://a", "a:80", "*.a", "a/b", "a b", "", "é", "a@b", "a%2e", "[::1", "1.2.3.4.5"]
    {
        assert_eq!(text.parse::<AllowedHost>(), Err(InvalidHost), "{text}");
    }
    assert_eq!("[::1]".parse(), Ok(AllowedHost::Address("::1".parse().unwrap())));
    assert_eq!("Ollama.Internal.".parse(), Ok(AllowedHost::Name("ollama.internal".to_owned())));
}

#[test]
fn a_violation_names_the_host_and_the_way_out() {
    let endpoint = Endpoint::parse("https://api.openai.com/v1").unwrap();
    let say = |kind| {
        policy(kind, false, MACHINE).check(&endpoint, WireFormat::OpenAi).unwrap_err().to_string()
    };
    assert_eq!(
        say(PolicyKind::Oss),
        "policy oss allows local hosts only, and api.openai.com is not in LOCAL_LLM_ALLOWED_HOSTS \
         (localhost,127.0.0.1,::1)"
    );
    assert_eq!(
        say(PolicyKind::Hosted),
        "api.openai.com is not in LOCAL_LLM_ALLOWED_HOSTS (localhost,127.0.0.1,::1), and any other host \
         needs ALLOW_HOSTED_LLM=true"
    );
}
