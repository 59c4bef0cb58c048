# Says of each line whose proof it is.
require "./check"

$stdout.sync = true
$stdin.each_line(chomp: true) do |proof|
  puts check(proof)["phone_number"]
rescue JWT::DecodeError => e
  puts "refused: #{e.message}"
end
