# ruby-pg. Nothing to register: values are strings.
require "pg"

connection = PG.connect(dbname: ENV["PGDATABASE"])
as_tenant = lambda do |tenant, &work|
  connection.transaction do
    connection.exec_params("SELECT cordon.set_tenant($1)", [tenant])
    work.call
  end
end
check = ->(condition, what) { condition or abort what }

connection.prepare("insert", "INSERT INTO account (email, token) VALUES ($1, $2)")
connection.prepare("find", "SELECT token FROM account WHERE email = $1")
%w[1 2].each { |tenant| as_tenant.call(tenant) { connection.exec_prepared("insert", ["anna@example.org", "token of #{tenant}"]) } }
10.times do
  %w[1 2].each do |tenant|
    found = as_tenant.call(tenant) { connection.exec_prepared("find", ["anna@example.org"]).values }
    check.call(found == [["token of #{tenant}"]], "tenant #{tenant} found #{found}")
  end
end
as_tenant.call("1") do
  500.times { |i| connection.exec_prepared("insert", ["bulk#{i}@example.org", "bulk #{i}"]) }
  list = PG::TextEncoder::Array.new.encode(["anna@example.org", "bulk7@example.org", "x"])
  count = connection.exec_params("SELECT count(*) FROM account WHERE email = ANY ($1::text[])", [list]).getvalue(0, 0)
  check.call(count == "2", "ANY found #{count}")
end
begin
  connection.exec_prepared("find", ["anna@example.org"])
  abort "no error without a tenant"
rescue PG::InsufficientPrivilege => error
  check.call(!error.message.include?("anna"), error.message)
end
begin
  as_tenant.call("1") { connection.exec_prepared("insert", ["anna@example.org", "again"]) }
  abort "no error for a value that is there"
rescue PG::UniqueViolation => error
  check.call(!error.message.include?("anna"), error.message)
end
